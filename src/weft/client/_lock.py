"""One lock in two colours, so that a token is renewed once however many requests need it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def new_async_lock() -> asyncio.Lock:
    """A lock for tasks."""
    from asyncio import Lock  # the blocking client does without asyncio

    return Lock()


def new_blocking_lock() -> threading.Lock:
    """A lock for threads."""
    return threading.Lock()
