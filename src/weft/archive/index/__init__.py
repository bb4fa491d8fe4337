"""Searching conversations and counting them: a file beside the archive that can always be made again."""

from __future__ import annotations

from weft.archive.index.archive_index import LIMIT, ArchiveIndex, IndexStatus
from weft.archive.index.building import Indexed, IndexProgress
from weft.archive.index.counting import By
from weft.archive.index.figures import Figures, Group, Latency, Statistics
from weft.archive.index.parser import parse_search
from weft.archive.index.searching import Order, SearchHit, SearchPage
from weft.archive.index.snippet import Snippet
from weft.archive.index.sql import MAX_ROWS, TIMEOUT_SECONDS, QueryTimeoutError, SqlResult

__all__ = [
    "LIMIT",
    "MAX_ROWS",
    "TIMEOUT_SECONDS",
    "ArchiveIndex",
    "By",
    "Figures",
    "Group",
    "IndexProgress",
    "IndexStatus",
    "Indexed",
    "Latency",
    "Order",
    "QueryTimeoutError",
    "SearchHit",
    "SearchPage",
    "Snippet",
    "SqlResult",
    "Statistics",
    "parse_search",
]
