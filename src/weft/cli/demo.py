"""`weft demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from weft.cli.options import settings_of

ENDING = """\
Examples:

  weft demo
  weft demo --serve
  weft demo --data ./try-weft

Exit codes: 0, 1 when something fails, 2 when the call or a setting is wrong, 130 interrupted."""


def demo(
    *,
    serve: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
) -> int:
    """Show a chatflow at work: a conversation, what each node did, and where it is all kept.

    A script plays the model, so it needs neither key nor network. The server is a real one on a free port
    of this machine; the conversation goes through it, word by word.

    Args:
        serve: Leave the server up afterwards, until Ctrl-C.
        data: The folder for what is kept; `demo` in the data folder unless given.
    """
    folder = data if data is not None else settings_of({}, {}).data / "demo"
    from weft.cli.demonstration import demonstrate  # brings the whole server along

    return demonstrate(folder.expanduser().absolute(), stay=serve)
