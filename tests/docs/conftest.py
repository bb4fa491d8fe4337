"""What pages need from outside."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory

import pytest

from tests.docs.page import ROOT

HERE = Path(__file__).parent
_ADDRESS = 'os.environ["DOCS_WARM_SERVER"]'
MODEL_ANSWER = "Oolong is a tea between green and black."


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """A folder with programs that start fast; for `PATH`."""
    with TemporaryDirectory(prefix="weft-docs-") as folder:
        address = f"{folder}/server"
        client = (HERE / "warm_client.py").read_text(encoding="utf-8")
        Path(folder, "clients").mkdir()
        for name in ("weft", "pytest", "interpreter"):
            asks = Path(folder, "clients", name)
            asks.write_text(client.replace(_ADDRESS, repr(address)), encoding="utf-8")
            program = Path(folder, name)
            # By way of a shell, because the first line of a program takes no path with a blank in it.
            python, asker = shlex.quote(sys.executable), shlex.quote(str(asks))
            program.write_text(f'#!/bin/sh\nexec {python} -SE {asker} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
        command = [sys.executable, "-m", "tests.docs.warm_server", address]
        with Popen(command, cwd=ROOT, stdout=PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield Path(folder)
            server.kill()


@pytest.fixture(scope="session")
def model_service() -> Iterator[str]:
    """Host and port of a model service."""
    command = [sys.executable, "-m", "weft.testing.fake_models", "--text", MODEL_ANSWER]
    with Popen(command, stdout=PIPE, text=True) as service:
        assert service.stdout is not None
        address = service.stdout.readline().strip()
        yield address.removeprefix("http://").removesuffix("/v1")
        service.terminate()
