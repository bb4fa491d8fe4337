"""`weft config`."""

from __future__ import annotations

import json
import sys

from weft.cli.options import ConfigOption, DataOption, JsonOption, ModelsOption, OtherSettings, settings_of
from weft.cli.screen import Screen

ENDING = """\
Examples:

  weft config
  WEFT_PORT=9000 weft config --limits-max-steps 100
  weft config --json | jq '.settings[] | select(.source != "default")'

Exit codes: 0, or 2 when a setting is wrong."""


def config(
    *,
    data: DataOption = None,
    models: ModelsOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    **others: OtherSettings,
) -> int:
    """List every setting that is in force, and where its value came from; secrets are masked.

    A value comes from the command line, else from the environment, else from the settings file, else it is
    the default.
    """
    settings = settings_of({"data": data, "models_url": models, "config": config}, others, own=("--json",))
    rows = settings.describe()
    if as_json:
        content = [{"name": row.name, "value": row.value, "source": row.source} for row in rows]
        print(json.dumps({"settings": content}, indent=2, ensure_ascii=False))
        return 0
    Screen(sys.stdout).table(
        ("setting", "value", "from"), [(row.name, row.value, row.source) for row in rows]
    )
    return 0
