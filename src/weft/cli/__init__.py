"""The `weft` command: starts a server, runs an app once, says what is wrong with a file.

One module per command, with its options and its help; they are light, because every start of the program
imports all of them. What a command does stands in a module of its own that is imported when it is called.
"""

from weft.cli.program import main

__all__ = ["main"]
