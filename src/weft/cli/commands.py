"""All commands under one roof."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc

from cyclopts import App, CycloptsError

from weft.cli import accounts, archive, check, config, demo, record, replay, run, serve, test, version, worker
from weft.cli.failure import BadCallError
from weft.version import __version__

_ENDING = """\
Start here:

  weft demo                         see it work; needs no key and no network
  weft serve app.yml                serve an exported app
  weft run app.yml "A question"     one answer, without a server
  weft check app.yml                what is wrong with a file
  weft test app.yml app.cases.yml   does it still do what it should

Exit codes: 0 all is well, 1 the work failed, 2 the call, a file or a setting is wrong, 130 interrupted.
WEFT_DEBUG=1 shows where an error came from."""


def run_command(words: Sequence[str]) -> int:
    """Run the command that the words name.

    Raises:
        BadCallError: The words make no sense.
        WeftError: Whatever the command raised.
    """
    try:
        code = _build()(list(words))
    except CycloptsError as error:
        command = " ".join(("weft", *(error.command_chain or ())))
        dotted = next((word for word in words if re.match(r"--[\w-]+\.", word)), None)
        told = f"there is no option {dotted}; names of options have dashes for dots" if dotted else str(error)
        # A long list of commands ends with dots: the help has all of them.
        listed = re.sub(r" Available commands: .*\.\.\.$", "", told.strip(), flags=re.DOTALL)
        raise BadCallError(f"{listed.rstrip('.')} (see `{command} --help`)") from None
    return code if isinstance(code, int) else 0


def _build() -> App:
    app = App(
        name="weft",
        help="Runs Dify-compatible chatflows in one process and keeps every conversation.",
        help_epilogue=_flow(_ENDING),
        help_format="plaintext",
        version=f"weft {__version__}",
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for module, command in (
        (demo, demo.demo),
        (serve, serve.serve),
        (run, run.run),
        (check, check.check),
        (test, test.check_cases),
        (record, record.record),
        (replay, replay.replay),
        (worker, worker.worker),
        (config, config.config),
        (accounts, accounts.accounts),
        (version, version.version),
    ):
        about = cleandoc(command.__doc__ or "").partition("\nArgs:\n")[0]
        name = module.__name__.rpartition(".")[2]
        app.command(command, name=name, help=_flow(about), help_epilogue=_flow(module.ENDING))
    app.command(archive.build(_flow), name="archive")
    return app


def _flow(text: str) -> str:
    """The text with each paragraph on one line, for a terminal of any width; what is indented stays."""
    paragraphs = (paragraph.strip("\n") for paragraph in text.split("\n\n"))
    return "\n\n".join(
        paragraph if paragraph.startswith(" ") else " ".join(paragraph.split())
        for paragraph in paragraphs
        if paragraph
    )
