"""What a request or a schedule wants pulled, without the key that opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from weft.archive import SaveFilters
from weft.errors import InvalidRequestError

KEY_ENV: Final = r"^DIFY_API_KEY(_[A-Z0-9_]{1,60})?$"
"""Environment variables that a schedule may name: those of the guide, so that nobody can have others sent
somewhere."""
Kind = Literal["console", "app-key"]


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One source to be pulled; as it is stored with a job."""

    source: str | None = None
    """A name of the settings, or ``*`` for all of them."""
    kind: Kind | None = None
    url: str = ""
    app_id: str = ""
    organization_id: str | None = None
    key_env: str | None = None
    """The environment variable that holds the key."""

    @property
    def label(self) -> str:
        """The target for people."""
        return self.source or self.app_id or self.url


class PullArgs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The arguments of a pull."""

    targets: list[Target]
    filters: SaveFilters | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A target, and the key that came along with it."""

    target: Target
    key: str = ""

    def __repr__(self) -> str:
        return f"Asked({self.target!r})"


def read_app(fields: Mapping[str, object], *, where: str = "") -> Asked:
    """One app of a request's body, with the guide's names.

    Without address and key the settings' own source is meant; one of the two alone is refused, as a key must
    not go to an address that was not meant for it.

    Args:
        fields: The body, or an item of ``apps``.
        where: Names the item in messages.

    Raises:
        InvalidRequestError: A field is missing or wrong.
    """
    texts = {
        name: _text(fields, name, where)
        for name in ("dify_api_url", "app_id", "api_key", "organization_id", "source", "kind")
    }
    url, key, kind = texts["dify_api_url"], texts["api_key"], texts["kind"]
    if kind not in (None, "console", "app-key"):
        raise refused(f"{where}kind", f"{kind!r} is unknown; known: console, app-key")
    named = texts["source"]
    if named is not None or (url is None and key is None):
        if url is not None or key is not None:
            raise refused(f"{where}source", "stands for an address and a key, so give neither of them")
        source = Target(source=named or "default", organization_id=texts["organization_id"])
        return Asked(source)
    for name, value in (("dify_api_url", url), ("api_key", key)):
        if value is None:
            raise refused(f"{where}{name}", "is missing")
    address = url or ""
    if not address.startswith(("http://", "https://")) or any(sign in address for sign in " \\@"):
        raise refused(f"{where}dify_api_url", "is not an address that starts with http:// or https://")
    target = Target(
        kind="app-key" if kind == "app-key" else "console" if kind == "console" else None,
        url=address.rstrip("/"),
        app_id=texts["app_id"] or "",
        organization_id=texts["organization_id"],
    )
    return Asked(target, key or "")


def read_filters(fields: Mapping[str, object]) -> SaveFilters | None:
    """The filters of a request's body.

    Raises:
        InvalidRequestError: One is wrong or unknown.
    """
    given = fields.get("filters")
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise refused("filters", "has to be an object")
    known = ("start_date", "end_date", "from_source")
    if unknown := sorted(set(given) - set(known)):
        raise refused(f"filters.{unknown[0]}", f"is unknown; known: {', '.join(known)}")
    texts = {name: _text(given, name, "filters.") for name in known}
    filters = SaveFilters(**texts)
    query = filters.query()
    if query is None:
        return None
    start, end = query.start, query.end
    if start is not None and end is not None and start > end:
        raise refused("filters.end_date", "is before start_date")
    return filters


def refused(field: str, why: str) -> InvalidRequestError:
    """A field that is wrong, named."""
    return InvalidRequestError(f"{field}: {why}", {field: why})


def _text(fields: Mapping[str, object], name: str, where: str) -> str | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 4096:
        raise refused(f"{where}{name}", "has to be a text")
    return value
