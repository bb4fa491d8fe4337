"""Bringing the bytes of attached files along with their conversation.

Where a file is comes from outside: people name addresses in messages, and servers sign links. So a link is
only ever asked through the guard of `weft.egress`, never as a path; what comes back is counted, timed and
written to a place of our own. A file that cannot be had stops no conversation: the reason is noted instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urljoin, urlsplit

from weft.archive.attachment import (
    Attachment,
    Reason,
    iter_attachments,
    kept_note,
    missing_note,
    with_notes,
)
from weft.archive.file_shelf import FileShelf, Incoming
from weft.archive.json_text import JsonObject
from weft.archive.source import FileOffer, Loaded
from weft.egress import (
    AddressRefusedError,
    Egress,
    EgressConfig,
    EgressError,
    EgressRequest,
    InvalidUrlError,
    ResponseTooLargeError,
    TooManyRedirectsError,
    open_egress,
)
from weft.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
    TransportError,
)
from weft.files import FileMissingError, category_of, clean_name

if TYPE_CHECKING:
    from weft.settings import ArchiveSettings

FileKind = Literal["image", "document", "audio", "video", "custom"]
FILE_KINDS: tuple[FileKind, ...] = get_args(FileKind)
MAX_FILE_BYTES = 50 * 1024 * 1024
FILE_SECONDS = 120.0
LINKS_AT_ONCE = 2
"""Links that are followed at the same time, so that no server is asked for many files at once."""
_KINDS_BY_TYPE: dict[str, FileKind] = {"image": "image", "audio": "audio", "video": "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """Which attached files an archive keeps."""

    max_bytes: int = MAX_FILE_BYTES
    """A larger file is noted as too large."""
    kinds: frozenset[FileKind] = field(default=frozenset(FILE_KINDS))
    """Files of other kinds are noted as unwanted."""
    seconds: float = FILE_SECONDS
    """Longest time for one file."""
    allow_private_addresses: bool = False
    """Let links lead into private networks; those to the source's own server may anyway."""
    open_egress: Callable[[EgressConfig], Egress] = open_egress
    """Makes the way out."""

    @classmethod
    def of(cls, settings: ArchiveSettings) -> FileRules | None:
        """The rules that the settings mean; none when no files are kept.

        What is in a file cannot be redacted, so an archive that redacts keeps files only when told to.
        """
        if settings.files == "off" or (settings.files == "auto" and settings.redact):
            return None
        names = settings.file_kinds.replace(",", " ").split()
        kinds = frozenset(kind for kind in FILE_KINDS if kind in names)
        return cls(kinds=kinds, max_bytes=int(settings.max_file_bytes))


class _MissingError(Exception):
    """The bytes cannot be had, and why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason: Reason = reason
        self.detail = detail
        super().__init__(detail)


class FileFetcher:
    """Fetches the files of conversations, for as long as its context is open."""

    def __init__(self, shelf: FileShelf, rules: FileRules) -> None:
        self._shelf = shelf
        self._rules = rules
        seconds = rules.seconds
        config = EgressConfig(
            allow_private_addresses=rules.allow_private_addresses, read_seconds=seconds, max_redirects=5
        )
        self._outside = rules.open_egress(config)
        # The operator has named this server, so it may be anywhere; but it may not send us elsewhere.
        self._home = rules.open_egress(replace(config, allow_private_addresses=True, max_redirects=0))
        self._links = asyncio.Semaphore(LINKS_AT_ONCE)

    async def __aenter__(self) -> FileFetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._outside.close()
        await self._home.close()

    async def fetch(self, loaded: Loaded, known: Collection[tuple[str, str]]) -> Loaded:
        """The same with notes on all its files, and with the bytes of those that could be had.

        Args:
            loaded: What a source gave.
            known: Keys of files whose bytes the archive has; they are not asked for again.

        Raises:
            TooManyRequestsError: The source asks to be left alone for a while.
            ArchiveError: The disk is full, or refuses.
        """
        if loaded.conversation is None:
            return loaded
        offers = {offer.place: offer for offer in loaded.offers}
        notes: dict[tuple[int, int], JsonObject | None] = {}
        attached: list[Incoming] = []
        try:
            for one in iter_attachments(loaded.conversation):
                if one.key in known or (one.place not in offers and one.note is not None):
                    continue
                notes[one.place] = await self._note(one, offers.get(one.place), attached)
        except BaseException:
            for arrived in attached:
                arrived.discard()
            raise
        return replace(loaded, conversation=with_notes(loaded.conversation, notes), attached=attached)

    async def _note(self, one: Attachment, offer: FileOffer | None, attached: list[Incoming]) -> JsonObject:
        arriving = self._shelf.incoming()
        try:
            self._check(one, offer)
            assert offer is not None
            async with asyncio.timeout(self._rules.seconds):
                await self._receive(one, offer, arriving)
            await asyncio.to_thread(arriving.flush)
        except _MissingError as missing:
            arriving.discard()
            return missing_note(missing.reason, missing.detail)
        except TimeoutError:
            arriving.discard()
            return missing_note("unreachable", f"it took longer than {self._rules.seconds:g} seconds")
        except BaseException:
            arriving.discard()
            raise
        attached.append(arriving)
        name = clean_name(one.name)
        return kept_note(arriving.ref, name, one.mime_type)

    def _check(self, one: Attachment, offer: FileOffer | None) -> None:
        kind = _kind_of(one)
        size = one.record.get("size")
        if kind not in self._rules.kinds:
            raise _MissingError("unwanted", f"files of the kind {kind!r} are not kept")
        if isinstance(size, int) and size > self._rules.max_bytes:
            raise self._too_large()
        if offer is None or (offer.read is None and not offer.link):
            raise _MissingError("gone", "the server gives no address for it")

    async def _receive(self, one: Attachment, offer: FileOffer, arriving: Incoming) -> None:
        if offer.read is not None:
            await self._copy(offer.read(), arriving)
            return
        url, is_home = _target(offer)
        async with self._links:
            egress = self._home if is_home and not offer.is_guarded else self._outside
            await self._follow(url, egress, one, arriving)

    async def _copy(self, pieces: AsyncIterator[bytes], arriving: Incoming) -> None:
        size = 0
        try:
            async for piece in pieces:
                size += len(piece)
                if size > self._rules.max_bytes:
                    raise self._too_large()
                await asyncio.to_thread(arriving.write, piece)
        except (NotFoundError, ForbiddenError, InvalidRequestError, FileMissingError) as error:
            raise _MissingError("gone", str(error)) from error
        except (TransportError, ServerError) as error:
            raise _MissingError("unreachable", str(error)) from error
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    async def _follow(self, url: str, egress: Egress, one: Attachment, arriving: Incoming) -> None:
        limit = self._rules.max_bytes
        try:
            async with egress.request(EgressRequest(method="GET", url=url)) as answer:
                if 400 <= answer.status < 500:
                    raise _MissingError("gone", f"{answer.origin} answered with status {answer.status}")
                if answer.status != 200:
                    raise _MissingError(
                        "unreachable", f"{answer.origin} answered with status {answer.status}"
                    )
                if _is_page_instead(one, answer.headers.get("content-type", "")):
                    raise _MissingError("gone", f"{answer.origin} answered with a page instead of the file")
                told = answer.headers.get("content-length", "")
                if told.isdecimal() and int(told) > limit:
                    raise self._too_large()
                async for piece in answer.iter(limit):
                    await asyncio.to_thread(arriving.write, piece)
        except ResponseTooLargeError as error:
            raise self._too_large() from error
        except (InvalidUrlError, AddressRefusedError, TooManyRedirectsError) as error:
            raise _MissingError("refused", str(error)) from error
        except EgressError as error:
            raise _MissingError("unreachable", str(error)) from error

    def _too_large(self) -> _MissingError:
        return _MissingError("too-large", f"it has more than {self._rules.max_bytes} bytes")


def is_complete(loaded: Loaded) -> bool:
    """Whether asking again would bring no more: no file was out of reach only at this moment."""
    if loaded.conversation is None:
        return True
    notes = (one.note for one in iter_attachments(loaded.conversation))
    return all(note is None or note.get("reason") != "unreachable" for note in notes)


def missing_files(loaded: Loaded) -> int:
    """How many files came without bytes, of those that were asked for."""
    if loaded.conversation is None:
        return 0
    notes = (one.note for one in iter_attachments(loaded.conversation))
    return sum(note is not None and "reason" in note for note in notes)


def _kind_of(one: Attachment) -> FileKind:
    said = one.record.get("type")
    for kind in FILE_KINDS:
        if said == kind:
            return kind
    return _KINDS_BY_TYPE.get(one.mime_type.partition("/")[0]) or category_of(one.name)


def _is_page_instead(one: Attachment, content_type: str) -> bool:
    """Whether a page came where the server had told of something that is none, e.g. one to log in with."""
    said = one.record.get("mime_type")
    promised = said.partition("/")[0] if isinstance(said, str) else ""
    came = content_type.partition(";")[0].strip().lower()
    return came == "text/html" and (promised or _kind_of(one)) in ("image", "audio", "video")


def _target(offer: FileOffer) -> tuple[str, bool]:
    """Where to ask, and whether that is the source's own server.

    Of a link to the source's server only path and query are used: the rest is what the operator has named, so
    no spelling of a host can make us go anywhere else.
    """
    if not offer.home:
        return offer.link, False
    try:
        home, there = urlsplit(offer.home), urlsplit(urljoin(offer.home, offer.link))
        if _origin(home.scheme, home.hostname, home.port) != _origin(
            there.scheme, there.hostname, there.port
        ):
            return offer.link, False
        query = f"?{there.query}" if there.query else ""
        return f"{home.scheme}://{home.netloc}{there.path or '/'}{query}", True
    except ValueError:
        return offer.link, False


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str | None, int | None]:
    return scheme, host, port or {"http": 80, "https": 443}.get(scheme)
