"""HTTP request: sends a request to an address of the flow's choice.

Source: Dify app DSL, node type ``http-request``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from weft.egress import EgressError, EgressRequest, InvalidUrlError, ResponseTooLargeError
from weft.graph import Need, NodeSpec
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.http_body import BodyTemplate, Content
from weft.nodes.http_config import HttpRequestConfig
from weft.nodes.http_error import (
    FileFetchError,
    HttpRequestNodeError,
    HTTPResponseCodeError,
    InvalidHttpMethodError,
    InvalidURLError,
    ResponseFileError,
    ResponseSizeError,
)
from weft.nodes.http_field import HeaderLines, Headers, Key, ParameterLines, add_parameters, put
from weft.nodes.http_reply import FileReply, read_reply
from weft.nodes.http_transcript import mask_secrets, transcribe
from weft.nodes.kept_file import FileContent, KeptFileError, NewFile, is_kept
from weft.nodes.node import Node
from weft.variables import File, Selector, Value, compile_template

_USERINFO = re.compile(r"(?<=//)[^/?#@]*@")


@dataclass(frozen=True, slots=True)
class _Message:
    """A request with every variable put in."""

    url: str
    headers: Headers
    content: Content
    key_header: str | None


class HttpRequestNode(Node[HttpRequestConfig]):
    """Sends a request and gives what comes back.

    Outputs: `status_code`, `body` (text), `headers` (by name in lower case) and `files`. A response that is a
    file is kept as one, and the `body` is empty. Where nothing keeps files its text is the `body` if it is
    UTF-8 of no more than the size that texts may have; else the node fails with ``ResponseFileError``.

    Files that are sent are read where they are kept, or fetched from their address through the same guard
    that the request passes.

    Any status is a success, unless the node has an error strategy or retries; then other ones than 2xx fail
    it with ``HTTPResponseCodeError``, and the record still shows the outputs.

    The record's `process_data` has the text of the request as `request`, with the key, secret environment
    variables and the bytes of files hidden.
    """

    config_type: ClassVar[type[NodeConfig]] = HttpRequestConfig
    retries: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Take the templates apart."""
        config = self.config
        self._url = compile_template(config.url)
        self._key = Key(config.authorization)
        self._headers = HeaderLines(config.headers)
        self._parameters = ParameterLines(config.params)
        self._body = BodyTemplate(config.body)
        self._minds_status = config.error_strategy is not None or config.retry_config.retry_enabled

    def reads(self) -> Sequence[Selector]:
        """The variables in every part of the request, and the files that it sends."""
        parts = (self._url, self._key, self._headers, self._parameters, self._body)
        return list(dict.fromkeys(selector for part in parts for selector in part.selectors))

    def needs(self) -> Sequence[Need]:
        """The address, as far as the file says it; without its query, which may hold keys."""
        address = self.config.url.partition("?")[0].strip()
        return (Need("http", _USERINFO.sub("", address) or "an empty address", self.id),)

    async def run(self, context: Context) -> NodeResult:
        """Send the request.

        Raises:
            HttpRequestNodeError: The request cannot be put together, was not answered, or was answered in a
                way that fails the node; the narrower classes say why.
        """
        try:
            message = await self._message(context)
            context.process_data["request"] = self._transcript(message, context.run.secrets)
            status, outputs = await self._exchange(context, message)
        except HttpRequestNodeError as error:
            raise type(error)(mask_secrets(str(error), context.run.secrets)) from error
        if self._minds_status and not 200 <= status < 300:
            context.outputs = outputs
            raise HTTPResponseCodeError(
                f"the response has the status {status}, "
                "which fails a node that has an error strategy or retries"
            )
        return NodeResult(outputs)

    async def _message(self, context: Context) -> _Message:
        """Put the variables in, in the order that decides which error comes first."""
        pool = context.pool
        key = self._key.render(pool)
        url = self._url.render(pool).rstrip()
        if not url:
            raise InvalidURLError("the address is empty; fill it in, or check the variable it comes from")
        if not url.lower().startswith(("http://", "https://")):
            raise InvalidURLError(f"the address {url[:100]!r} does not start with http:// or https://")
        headers = self._headers.render(pool)
        url = add_parameters(url, self._parameters.render(pool))
        boundary = "weft-" + context.services.ids.new()

        async def fetch(file: File) -> FileContent:
            return await self._fetch(context, file)

        content = await self._body.render(pool, headers, fetch, boundary)
        if key is not None:
            put(headers, *key)
        return _Message(url, headers, content, None if key is None else key[0].lower())

    def _transcript(self, message: _Message, secrets: Sequence[str]) -> str:
        try:
            text = transcribe(
                self.config.method.upper(),
                message.url,
                message.headers,
                message.content.shown,
                len(message.content.data),
                hidden={message.key_header} if message.key_header else (),
            )
        except ValueError as error:
            raise InvalidURLError(f"the address {message.url[:100]!r} cannot be read: {error}") from error
        return mask_secrets(text, secrets)

    async def _exchange(self, context: Context, message: _Message) -> tuple[int, dict[str, Value]]:
        config, egress = self.config, context.services.egress
        if config.method == "options":
            raise InvalidHttpMethodError("requests with the method OPTIONS are not sent; choose another one")
        request = EgressRequest(
            method=config.method.upper(),
            url=message.url,
            headers=tuple(message.headers.items()),
            body=message.content.data,
            credentials=_credentials(message, context.run.secrets),
            verify_tls=config.ssl_verify is not False,
            connect_seconds=config.timeout.connect,
            read_seconds=config.timeout.read,
            write_seconds=config.timeout.write,
        )
        try:
            async with egress.request(request) as response:
                reply = await read_reply(response, egress.config, message.url)
                status, headers = response.status, response.headers
        except ResponseTooLargeError as error:
            raise ResponseSizeError(str(error)) from error
        except InvalidUrlError as error:
            raise InvalidURLError(str(error)) from error
        except EgressError as error:
            raise HttpRequestNodeError(str(error)) from error
        if isinstance(reply, FileReply):
            body, files = await self._keep(context, message.url, reply)
        else:
            body, files = reply, []
        context.files = files
        return status, {
            "status_code": status,
            "body": body,
            "headers": dict(headers),
            "files": list(files),
        }

    async def _keep(self, context: Context, url: str, reply: FileReply) -> tuple[str, list[File]]:
        """The body and the files that a response leads to."""
        if not reply.data:
            return "", []
        new = NewFile(
            name=reply.name,
            mime_type=reply.mime_type,
            data=reply.data,
            source_url=mask_secrets(_without_secrets(url), context.run.secrets),
        )
        try:
            return "", [await context.services.files.keep(new, context.run)]
        except KeptFileError as error:
            text = reply.as_text(context.services.egress.config.max_text_bytes)
            if text is not None:
                return text, []
            raise ResponseFileError(
                f"the response is a file ({reply.mime_type or 'of no known type'}, {len(reply.data)} bytes), "
                f"and {error}; ask the server for a text"
            ) from error

    async def _fetch(self, context: Context, file: File) -> FileContent:
        name, egress = file.filename or "file", context.services.egress
        if is_kept(file):
            limit = context.services.limits.max_node_file_bytes
            try:
                return await context.services.files.read(file, context.run, max_bytes=limit)
            except KeptFileError as error:
                raise FileFetchError(f"the file {name!r} cannot be sent: {error}") from error
        if not file.link:
            raise FileFetchError(f"the file {name!r} has no address that it could be fetched from")
        request = EgressRequest(method="GET", url=file.link, verify_tls=self.config.ssl_verify is not False)
        try:
            async with egress.request(request) as response:
                if not 200 <= response.status < 300:
                    raise FileFetchError(f"the file {name!r} cannot be fetched: status {response.status}")
                data = await response.read(egress.config.max_file_bytes)
                mime_type = file.mime_type or response.headers.get("content-type", "").partition(";")[0]
        except EgressError as error:
            raise FileFetchError(f"the file {name!r} cannot be fetched: {error}") from error
        return FileContent(name, mime_type or "application/octet-stream", data)


def _without_secrets(url: str) -> str:
    """The address without user, query and fragment, which may hold keys."""
    return _USERINFO.sub("", re.split("[?#]", url, maxsplit=1)[0])


def _credentials(message: _Message, secrets: Sequence[str]) -> frozenset[str]:
    """The headers that are for nobody but the address that the flow names."""
    secret = {
        name.lower()
        for name, value in message.headers.items()
        if any(text in value for text in secrets if text)
    }
    return frozenset(secret | ({message.key_header} if message.key_header else set()))
