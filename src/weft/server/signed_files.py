"""Files by signed links, without a key; and links that were stored, made good again when they are read.

Source: Dify service API, signed addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError
from weft.files import FileLinks, LinkKind
from weft.runs import Runtime
from weft.server.file_reply import file_reply
from weft.server.path import path_id
from weft.store import Message, MessageFile, files
from weft.wire import FilePreviewQuery, parse_request

_ABSENT = "File not found or signature is invalid"


async def file_preview(request: Request) -> Response:
    """A file by its link."""
    return await _preview(request, "file-preview")


async def image_preview(request: Request) -> Response:
    """The same by an older form of link."""
    return await _preview(request, "image-preview")


async def _preview(request: Request, kind: LinkKind) -> Response:
    runtime: Runtime = request.app.state.runtime
    file_id = path_id(request, "file_id", _ABSENT)
    fields = request.query_params
    for name in ("timestamp", "nonce", "sign"):
        if not fields.get(name):
            raise InvalidRequestError(f"{name} is required")
    query = parse_request(FilePreviewQuery, {"as_attachment": fields.get("as_attachment", "false")})
    filing = runtime.files
    good = filing.links.check(kind, file_id, fields["timestamp"], fields["nonce"], fields["sign"])
    row = None
    if good:
        row = await runtime.store.read_quick(lambda connection: files.find(connection, file_id))
    absent = NotFoundError(_ABSENT, kind="file", id=file_id)
    if row is None:
        raise absent
    return await file_reply(
        request, filing, row, as_attachment=query.as_attachment, absent=absent, cached=False
    )


class FreshLinks:
    """New links in the place of those in an app's stored messages.

    Args:
        links: Makes them.
        known: Ids of the app's files to which there may be any.
    """

    def __init__(self, links: FileLinks, known: Iterable[str]) -> None:
        self._links = links
        self._known = frozenset(known)

    @classmethod
    async def of(
        cls,
        runtime: Runtime,
        app_id: str,
        messages: Sequence[Message],
        message_files: Mapping[str, Sequence[MessageFile]],
    ) -> FreshLinks:
        """Those for messages and the files of them; only the app's own files count."""
        links = runtime.files.links
        wanted = {file.upload_file_id for rows in message_files.values() for file in rows}
        for message in messages:
            wanted |= links.find(message.answer)
            wanted |= {record["related_id"] for record in _records(message.inputs)}
        ids = {id for id in wanted if id is not None}
        if not ids:
            return cls(links, ())
        return cls(
            links,
            await runtime.store.read(lambda connection: files.find_many(connection, app_id, ids)),
        )

    def url(self, file: MessageFile) -> str | None:
        """Where a message's file can be had; nowhere when it was deleted."""
        if file.upload_file_id is None:
            return file.url
        return self._links.sign(file.upload_file_id) if file.upload_file_id in self._known else None

    def value(self, inputs: Mapping[str, object]) -> Mapping[str, object]:
        """Inputs whose file records have links that work."""
        records = {id(record): record for record in _records(inputs)}
        if not records:
            return inputs

        def fill(value: object) -> object:
            record = records.get(id(value))
            if record is not None:
                known = record["related_id"] in self._known
                return {**record, "url": self._links.sign(record["related_id"]) if known else None}
            return [fill(item) for item in value] if isinstance(value, list) else value

        return {name: fill(value) for name, value in inputs.items()}

    def text(self, text: str) -> str:
        """An answer with links that work."""
        return self._links.renew(text, self._known)


def _records(inputs: Mapping[str, object]) -> Iterator[Mapping[str, str]]:
    """The records of kept files among inputs and lists of inputs."""
    for value in inputs.values():
        for item in value if isinstance(value, list) else (value,):
            if (
                isinstance(item, Mapping)
                and item.get("dify_model_identity") == "__dify__file__"
                and isinstance(item.get("related_id"), str)
            ):
                yield item


ROUTES = [
    Route("/files/{file_id}/file-preview", file_preview, methods=["GET"]),
    Route("/files/{file_id}/image-preview", image_preview, methods=["GET"]),
]
