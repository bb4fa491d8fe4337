"""`weft version`."""

from __future__ import annotations

import json
import platform

from weft.cli.options import JsonOption
from weft.version import __version__

ENDING = """\
Example:

  weft version --json

Exit codes: 0."""


def version(*, as_json: JsonOption = False) -> int:
    """Tell the version of this program."""
    if as_json:
        print(json.dumps({"version": __version__, "python": platform.python_version()}))
    else:
        print(f"weft {__version__}")
    return 0
