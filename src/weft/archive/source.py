"""Where conversations are pulled from: the port that every kind of server or folder implements.

The rules that a source keeps to, and on which `pull` relies:

*Paging.* `iter_pages` gives what the source holds in an order of its own, page by page. It may give the
same conversation again, on the same page or a later one; it may miss conversations that appear while it
reads, if a later pull from its cursor, or from the start, gives them. It is asked for a page while items of
earlier ones are still being loaded.

*Cursors.* A page bears the cursor at which a later pull goes on: everything on this page and on those
before needs not be given again. A cursor is text that only the source understands; it is given back to
`iter_pages` when everything up to it is durable in the archive, and not before. The empty text means: from
the start. What changed since must come again from a cursor, so a source orders by time of change where its
server can, and where it cannot, ends its last page with the empty cursor: identical content writes nothing,
and `version` saves the fetching.

*Versions.* An item's `version` changes whenever anything of its conversation does: messages, feedback,
annotations, name. The same version as in the archive is not loaded. None means that only loading tells.

*Errors.* `load` raises TooManyRequestsError or RateLimitedError (with `retry_after` where the server gave
it), TransportError or ServerError for what may be better a moment later: these are tried again. Any other
WeftError says that this conversation cannot be had: it is noted with its reason, the others go on, and the
next pull tries it again. When `iter_pages` raises one of the former, it is called again from the last
durable cursor after a pause; anything else that it raises ends this app's pull, and no other's.

*Idempotence.* Loading changes nothing at the source, and may be done any number of times and at the same
time for different items.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from weft.archive.conversation import Conversation
from weft.archive.file_shelf import Incoming
from weft.archive.run_record import RunRecord


@dataclass(frozen=True, slots=True)
class SourceApp:
    """One app of a source; apps are pulled apart from one another."""

    id: str
    """Names the app's cursor; unique within the source."""
    name: str = ""
    organization_id: str | None = None
    """Where its conversations are filed; none leaves that to each conversation."""
    limits: Sequence[str] = ()
    """What of it the source cannot give, as sentences for the report."""


class SourceItem(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that can be loaded; it is kept in the cursor file when loading fails."""

    id: str
    """The conversation's id."""
    version: str | None = None
    data: dict[str, str] = msgspec.field(default_factory=dict)
    """What the source needs to load it; no secrets, and no content."""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Some conversations, and where to go on after them."""

    items: Sequence[SourceItem]
    cursor: str


@dataclass(frozen=True, slots=True)
class FileOffer:
    """How the bytes of one file of a message can be had, as long as the source is open."""

    place: tuple[int, int]
    """Number of the message in its conversation, and of the file in its ``message_files``."""
    link: str = ""
    """An address, from outside and so not to be trusted; it is stored nowhere."""
    home: str = ""
    """Address of the server that gave the link, if the link may lead back to it."""
    is_guarded: bool = False
    """Whether that server, too, has to be at a public address."""
    read: Callable[[], AsyncIterator[bytes]] | None = None
    """Asks the source itself, instead; raises NotFoundError or FileMissingError where there is nothing."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A conversation with everything that belongs to it.

    Messages bear their feedback (``feedback`` or ``feedbacks``), annotations and files (``message_files``, as
    the server describes them) as fields.
    """

    conversation: Conversation | None
    """None when there are only runs to be stored."""
    runs: Sequence[RunRecord] = field(default=())
    """Its workflow runs, each with its node executions."""
    offers: Sequence[FileOffer] = field(default=())
    """Where the bytes of its files are."""
    attached: Sequence[Incoming] = field(default=())
    """The bytes that the pull has fetched; sources give none."""


class Source(Protocol):
    """A server, a folder or whatever else holds conversations."""

    @property
    def name(self) -> str:
        """Names the source's cursors; the same for the same place, e.g. its address without secrets."""
        ...

    async def list_apps(self) -> Sequence[SourceApp]:
        """The apps that can be read.

        Raises:
            WeftError: They cannot be listed; nothing is pulled.
        """
        ...

    def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        """Pages from a cursor on, the empty one for the start."""
        ...

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        """The whole of one conversation.

        Raises:
            NotFoundError: It has gone since it was listed.
            WeftError: As the module says.
        """
        ...
