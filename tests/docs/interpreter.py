"""Runs pieces of Python one after the other in one namespace: a JSON line in, a JSON line out."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback


def main(arguments: list[str]) -> int:
    """Serve until the input ends."""
    sys.path[0] = ""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line in sys.stdin:
        piece = json.loads(line)
        output, error = io.StringIO(), ""
        with contextlib.redirect_stdout(output):
            try:
                exec(compile(piece["code"], piece["name"], "exec"), namespace)
            except Exception:  # whatever a page's code raises is what is told
                error = traceback.format_exc()
        sys.stdout.write(json.dumps({"output": output.getvalue(), "error": error}) + "\n")
        sys.stdout.flush()
    return 0
