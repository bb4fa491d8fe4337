"""Conversations with attached files, a source that offers their bytes, and a way out by a table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import cast

from tests.archive.records import record
from weft.archive import Conversation, FileOffer, FileRules, Loaded, Source, SourceApp, SourceItem, SourcePage
from weft.egress import AddressRefusedError, Egress, EgressConfig, EgressRequest, EgressResponse
from weft.errors import NotFoundError

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
LETTER = b"%PDF-1.7 a letter"


def sha(data: bytes) -> str:
    return sha256(data).hexdigest()


def with_files(number: int, *files: Mapping[str, object], turns: int = 1) -> dict[str, object]:
    """A conversation whose first message has these files."""
    found = record(number, turns=turns)
    messages = cast("list[dict[str, object]]", found["messages"])
    messages[0]["message_files"] = [dict(one) for one in files]
    return found


def file(id: str, name: str = "picture.png", **fields: object) -> dict[str, object]:
    return {
        "id": id,
        "filename": name,
        "type": "image",
        "mime_type": "image/png",
        "transfer_method": "local_file",
        "belongs_to": "user",
        **fields,
    }


def kept(conversation: Conversation) -> list[object]:
    """What the archive noted of the files of the first message."""
    return [
        cast("dict[str, object]", one).get("archived")
        for one in cast("list[object]", conversation.messages[0]["message_files"])
    ]


def note(data: bytes, name: str = "picture.png", mime_type: str = "image/png") -> dict[str, object]:
    return {"sha256": sha(data), "size": len(data), "name": name, "mime_type": mime_type}


class FileSource:
    """One app; `files` holds bytes by the file's id, and `links` addresses."""

    name = "files"

    def __init__(self, *records: dict[str, object], organization_id: str | None = None) -> None:
        self.records = {str(one["conversation_id"]): one for one in records}
        self.versions: dict[str, str] = {}
        self.files: dict[str, bytes | Exception] = {}
        self.links: dict[str, str] = {}
        self.home = ""
        self.is_guarded = False
        self.reads: list[str] = []
        self.organization_id = organization_id

    async def list_apps(self) -> list[SourceApp]:
        return [SourceApp("app-a", organization_id=self.organization_id)]

    async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        yield SourcePage([SourceItem(id=id, version=self.versions.get(id)) for id in self.records], "")

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        found = Conversation.parse(self.records[item.id])
        offers = []
        for number, message in enumerate(found.messages):
            records = cast("list[dict[str, object]]", message.get("message_files") or [])
            for index, one in enumerate(records):
                offers += self._offer((number, index), str(one["id"]))
        return Loaded(found, offers=offers)

    def _offer(self, place: tuple[int, int], id: str) -> list[FileOffer]:
        if id in self.files:
            return [FileOffer(place, read=lambda: self._read(id))]
        if id not in self.links:
            return []
        return [FileOffer(place, link=self.links[id], home=self.home, is_guarded=self.is_guarded)]

    async def _read(self, id: str) -> AsyncIterator[bytes]:
        self.reads.append(id)
        data = self.files[id]
        if isinstance(data, Exception):
            raise data
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]


def is_source(source: FileSource) -> Source:
    return source


class TableEgress:
    """Answers from a table of addresses; what is not in it is refused, as a private address would be."""

    def __init__(
        self, config: EgressConfig, table: Mapping[str, tuple[int, bytes]], asked: list[str]
    ) -> None:
        self.config = config
        self._table = table
        self._asked = asked

    @asynccontextmanager
    async def request(self, request: EgressRequest) -> AsyncIterator[EgressResponse]:
        way = "home" if self.config.allow_private_addresses else "out"
        self._asked.append(f"{way} {request.url}")
        if request.url not in self._table:
            raise AddressRefusedError("it leads nowhere that may be reached")
        status, body = self._table[request.url]

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        yield EgressResponse(
            status=status, origin="http://there", headers={"content-length": str(len(body))}, pieces=pieces()
        )

    async def close(self) -> None:
        pass


class Web:
    """Addresses with their answers, and who asked for which."""

    def __init__(self, **answers: tuple[int, bytes]) -> None:
        self.table: dict[str, tuple[int, bytes]] = dict(answers)
        self.asked: list[str] = []

    def open(self, config: EgressConfig) -> Egress:
        return TableEgress(config, self.table, self.asked)

    def rules(self, **rules: object) -> FileRules:
        return FileRules(open_egress=self.open, **rules)  # type: ignore[arg-type]  # a test's own words


def gone() -> NotFoundError:
    return NotFoundError("the file was deleted", kind="file")
