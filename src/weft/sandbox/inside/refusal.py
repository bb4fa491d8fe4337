"""Why nothing is run."""

from __future__ import annotations

import errno


class UnconfinableError(Exception):
    """A part of the confinement is not to be had here; the text says which and what to change."""


def explain(error: OSError) -> str:
    """The error's symbolic name and text, e.g. ``ENOSYS: Function not implemented``."""
    return f"{errno.errorcode.get(error.errno or 0, error.errno)}: {error.strerror}"
