"""What a setting is called in each place, and what may be written there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, ByteSize, SecretStr
from pydantic.fields import FieldInfo

SYNONYMS = {
    "DIFY_API_URL": "archive.url",
    "DIFY_APP_ID": "archive.app_id",
    "DIFY_API_KEY": "archive.api_key",
    "LOG_RETENTION_DAYS": "archive.retention_days",
    "ENABLE_AUTO_LOGGING": "archive.auto_pull",
}
"""Environment variables of older archive scripts, to the setting that each one means."""

MASK = "********"
_SECRET_KEY = re.compile(r"(^|_)(key|token|secret|password)$")

TABLES = ("providers", "prices", "datasets", "tools", "sources")
"""Settings that hold tables by name; only `weft.toml` can give them."""


def option(name: str) -> str:
    """The command-line option of a setting."""
    return "--" + name.replace(".", "-").replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return "WEFT_" + name.replace(".", "_").upper()


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting by its path, those inside sections included, in the order of the reference page."""
    for key, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from fields(section, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", field


def allowed(field: FieldInfo) -> str:
    """What may be written for a setting, e.g. ``a whole number from 0 to 65535``."""
    return extra(field, "allowed") or f"{_kind(field)}{_bounds(field)}"


def is_secret(field: FieldInfo) -> bool:
    """Whether the value of a setting is never shown."""
    return SecretStr in _types(field)


def holds_secret(path: Sequence[str]) -> bool:
    """Whether a text at this path inside a table of a service is never shown: a key, or a header."""
    return bool(_SECRET_KEY.search(path[-1])) or "headers" in path


def extra(field: FieldInfo, key: str) -> str:
    """What a setting's definition says beyond its bounds; empty when it does not."""
    said = field.json_schema_extra
    return str(said.get(key, "")) if isinstance(said, dict) else ""


def dotted(path: Iterable[str]) -> str:
    """A path as `weft.toml` would have it: ``providers."my provider".api_key``."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in path)


def shown(value: object) -> str:
    """A value for people: as `weft.toml` would have it, without quotes, secrets and passwords masked."""
    match value:
        case None:
            return "none"
        case SecretStr():
            return MASK
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case dict() | list():
            return f"{len(value)} entries" if len(value) != 1 else "1 entry"
        case _:
            return re.sub(r"(://[^/@\s:]*):[^/@\s]*@", rf"\1:{MASK}@", str(value))


def _types(field: FieldInfo) -> tuple[object, ...]:
    annotation = field.annotation
    if get_origin(annotation) is Literal or not get_args(annotation):
        return (annotation,)
    return tuple(part for part in get_args(annotation) if part is not NoneType)


def _kind(field: FieldInfo) -> str:
    kind = _types(field)[0]
    if get_origin(kind) is Literal:
        return "one of: " + ", ".join(str(choice) for choice in get_args(kind))
    words: dict[object, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        ByteSize: "a size such as 1048576 or 1 MiB",
        Path: "a folder",
    }
    return words.get(kind, "a text that is not empty")


def _bounds(field: FieldInfo) -> str:
    if any(kind in (str, SecretStr) for kind in _types(field)):
        return ""
    least, most, above = (
        next((limit for rule in field.metadata if (limit := getattr(rule, name, None)) is not None), None)
        for name in ("ge", "le", "gt")
    )
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f", at least {least}"
    return f", more than {above}" if above is not None else ""
