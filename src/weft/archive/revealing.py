"""Showing what redaction masked, to whoever has the key; the audit log says so first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from weft.archive.audit import AuditLine, AuditLog
from weft.archive.conversation import Conversation
from weft.archive.json_text import JsonObject, decode_object
from weft.archive.name import decode_name, encode_name
from weft.archive.secret_book import TOKEN, Owner, SecretBook
from weft.archive.vault import Vault
from weft.errors import InvalidRequestError, NotFoundError


@dataclass(frozen=True, slots=True)
class Revealed:
    """What was masked."""

    id: str
    """Of the conversation, or of the run, that it was masked in."""
    organization_id: str | None
    texts: Mapping[str, str]
    """By the tokens that stand for them."""
    conversation: Conversation | None = None
    """The whole conversation as it was said, when that was asked for; it is stored nowhere."""
    hidden: tuple[str, ...] = field(default=())
    """Tokens in it whose texts are not kept: they were masked without a key, or did not come along when the
    archive was restored from a copy."""


def reveal(
    vault: Vault, audit: AuditLog, book: SecretBook, what: str, organization_id: str | None, *, reason: str
) -> Revealed:
    """Reveal one token, or a conversation; see `Archive.reveal`."""
    vault.check_writable()
    if not reason:
        raise InvalidRequestError("say why it is revealed; the audit log keeps it", {"reason": "missing"})
    if TOKEN.fullmatch(what):
        return _reveal_token(vault, audit, book, what, organization_id, reason)
    organization = "" if organization_id is None else encode_name(organization_id, "organization_id")
    day = vault.locate("conversations", organization, what)
    entry = None if day is None else vault.find_entry(day, what)
    if day is None or entry is None:
        raise NotFoundError(f"there is no conversation {what!r}", kind="conversation", id=what)
    path = f"{day.path}/{entry.file}"
    stored = Conversation(decode_object(vault.read(day, entry), path))
    kept = vault.secrets.find(Owner(organization, "conversations", what))
    texts = {} if kept is None else book.decrypt(kept)
    audit.append([_line(what, organization_id, path, entry.sha256, reason)])
    told = _Telling(texts)
    fields = {name: told.value(value) for name, value in stored.fields.items()}
    return Revealed(what, organization_id, texts, Conversation(fields), tuple(sorted(told.hidden)))


def _reveal_token(
    vault: Vault, audit: AuditLog, book: SecretBook, token: str, organization_id: str | None, reason: str
) -> Revealed:
    wanted = None if organization_id is None else encode_name(organization_id, "organization_id")
    for found in vault.secrets.iter():
        if token not in found.secrets or wanted not in (None, found.organization):
            continue
        text = book.decrypt(found)[token]
        known = decode_name(found.organization) if found.organization else None
        audit.append([_line(token, known, "", "", f"{reason} (of {found.id})")])
        return Revealed(found.id, known, {token: text})
    raise NotFoundError(f"nothing is kept that {token} stands for{_why(vault)}", kind="token", id=token)


def _why(vault: Vault) -> str:
    """Where nothing at all is kept, how that comes."""
    if vault.secrets.paths():
        return ""
    return (
        ": this archive keeps no masked texts. They were masked without a key, or the archive was restored "
        "from a copy that has none; only the archive that was copied, with its key, can reveal them"
    )


class _Telling:
    """Puts texts back in the place of their tokens."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.hidden: set[str] = set()

    def value(self, value: object) -> object:
        if isinstance(value, str):
            return TOKEN.sub(self._put, value)
        if isinstance(value, dict):
            told: JsonObject = {TOKEN.sub(self._put, key): self.value(item) for key, item in value.items()}
            return told
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value

    def _put(self, found: re.Match[str]) -> str:
        text = self._texts.get(found[0])
        if text is None:
            self.hidden.add(found[0])
        return found[0] if text is None else text


def _line(id: str, organization_id: str | None, path: str, sha256: str, reason: str) -> AuditLine:
    return AuditLine(
        at="",
        action="reveal",
        path=path,
        id=id,
        organization_id=organization_id,
        sha256=sha256,
        reason=reason,
        previous="",
    )
