"""Start and end of the program: from the words of a command line to an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from weft.cli.failure import exit_code, sentences
from weft.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and say how it went.

    Args:
        arguments: The words after ``weft``; those that this process was started with unless given.

    Returns:
        0 when all is well; 1 when the work failed; 2 when the call, a file or a setting is wrong; 130 when
        interrupted; 141 when the reader of the output has left.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        print(f"weft {__version__}")
        return 0
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What cannot be written in this place's encoding is shown otherwise, it is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        # Reading a command line takes a library that costs more than all that came before it.
        from weft.cli.commands import run_command

        code = run_command(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The interpreter flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # the border around a whole command
        if os.environ.get("WEFT_DEBUG") == "1":
            raise
        for sentence in sentences(error):
            print(f"error: {sentence}", file=sys.stderr)
        return exit_code(error)
    return code
