"""Where conversations come from: a console account, an app key, the server's own store.

Exported files are a source too, `weft.archive.FolderSource`.
"""

from __future__ import annotations

from weft.archive.sources.app_key import AppKeySource
from weft.archive.sources.console import ConsoleSource
from weft.archive.sources.guarded import GuardedTransport
from weft.archive.sources.own_store import StoreSource
from weft.archive.sources.transport import AiohttpTransport

__all__ = ["AiohttpTransport", "AppKeySource", "ConsoleSource", "GuardedTransport", "StoreSource"]
