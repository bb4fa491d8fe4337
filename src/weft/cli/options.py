"""Options that several commands have, and the settings that they make."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import Parameter

from weft.cli.failure import BadCallError

if TYPE_CHECKING:
    from weft.settings import Settings

DataOption: TypeAlias = Annotated[
    str | None, Parameter("--data", help="The folder for everything that is kept.", show_default=False)
]
ConfigOption: TypeAlias = Annotated[
    str | None,
    Parameter(
        "--config", help="Settings file; weft.toml of this folder, if there is one.", show_default=False
    ),
]
ModelsOption: TypeAlias = Annotated[
    str | None,
    Parameter(
        ("--models", "--models-url"),
        help="Address of an OpenAI-compatible service for every model that has no provider of its own, or "
        "`scripted`. Its key is WEFT_MODELS_KEY.",
        show_default=False,
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, Parameter("--json", negative="", help="Print JSON.", show_default=False)
]
OtherSettings: TypeAlias = Annotated[
    str,
    Parameter(help="Every other setting by its name, e.g. --limits-max-steps 100; `weft config` lists all."),
]


def settings_of(
    given: Mapping[str, object], others: Mapping[str, str], *, own: tuple[str, ...] = ()
) -> Settings:
    """The settings of a command: its options, then the environment, then the settings file.

    Args:
        given: Values of the command's own options by the setting's name; `None` means not given.
        others: Values of further options by their name without the dashes in front.
        own: Options of the command, for the message about one that does not exist.

    Raises:
        BadCallError: There is no such option.
        ConfigError: A value is not allowed.
    """
    from weft.settings import load_settings, reference  # costs more than the rest of a start

    known = {info.option: info.name for info in reference() if info.option is not None}
    for name in others:
        if f"--{name}" not in known:
            near = difflib.get_close_matches(f"--{name}", [*known, *own, "--config"], n=1, cutoff=0.7)
            hint = f"; did you mean {near[0]}?" if near else "; `weft config` lists all settings"
            raise BadCallError(f"there is no option --{name}{hint}")
    values = {known[f"--{name}"]: value for name, value in others.items()}
    return load_settings({**values, **given}, environ=os.environ, cwd=Path.cwd())
