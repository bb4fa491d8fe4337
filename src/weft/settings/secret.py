"""The server's own secret, when no setting gives one."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from weft.errors import ConfigError
from weft.settings.model import Settings

SHORTEST = 32


def _token() -> str:
    return secrets.token_urlsafe(48)


def load_server_secret(settings: Settings, *, token: Callable[[], str] = _token) -> str:
    """What the server signs with: the setting `secret`, else the file `secret` in the data folder.

    The file is made on the first call, readable by its owner alone; of several processes that start at once,
    all get the same one.

    Args:
        settings: For the setting and the data folder.
        token: Makes a new secret of 32 characters or more.

    Raises:
        ConfigError: The file cannot be read or written, or is too short to be a secret.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    path = settings.data / "secret"
    try:
        if not path.exists():
            _create(path, token())
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the server's secret {path} cannot be kept: {error}; set WEFT_SECRET instead"
        ) from error
    if len(found) < SHORTEST:
        raise ConfigError(
            f"the server's secret {path} has fewer than {SHORTEST} characters; restore it from a backup, or "
            "remove it to have a new one made, which makes all signed links invalid"
        )
    return found


def _create(path: Path, text: str) -> None:
    """Put the whole file there at once, or leave the one that another process put there first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
