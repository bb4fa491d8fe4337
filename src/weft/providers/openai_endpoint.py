"""The traffic with one OpenAI-compatible service: a POST, its reply as it comes, a bound on every wait."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from weft.clock import Clock
from weft.errors import ConfigError, CredentialsError, ProviderError
from weft.providers.chat import ChatChunk
from weft.providers.config import ProviderConfig, Timeouts, public_url, quoted
from weft.providers.http import Http
from weft.providers.name import provider_key
from weft.providers.openai_body import ReplyBody
from weft.providers.openai_refusal import CallErrors, Refusal, parse_refusal
from weft.providers.openai_reply import ReplyReader
from weft.providers.retry import parse_retry_after
from weft.providers.service import SERVICES

_MAX_REFUSAL_BYTES = 256 * 1024
# aiohttp wants a file object for a body that is larger than this.
_LARGE_BODY = 1024 * 1024
# Seconds for the body's end to follow the answer's end, so that the connection can serve the next call.
_DRAIN_SECONDS = 0.1
# Seconds for the count of tokens to follow the last word, from services that never end a stream.
_TRAILER_SECONDS = 5.0
_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com")


class AttemptError(Exception):
    """An attempt did not come to a first chunk; whether another may follow is for the caller to decide."""

    def __init__(
        self,
        error: ProviderError,
        *,
        refusal: Refusal | None = None,
        is_transient: bool = False,
        is_stale: bool = False,
        retry_after: float | None = None,
    ) -> None:
        self.error = error
        """What to raise if there is no other attempt."""
        self.refusal = refusal
        self.is_transient = is_transient
        self.is_stale = is_stale
        """A kept connection had been closed by the service; that says nothing about its health."""
        self.retry_after = retry_after
        """Seconds that the service asked to wait."""
        super().__init__(str(error))


class Endpoint:
    """Where a service answers, with the credentials for it.

    Args:
        name: Provider's name as the app spells it.
        config: Where and how.
        http: The session.
        clock: Tells the time for waits that the service gives as a date.

    Raises:
        CredentialsError: Address or key is missing; the message says what to set.
        ConfigError: Key or headers cannot be sent.
    """

    def __init__(self, name: str, config: ProviderConfig, http: Http, clock: Clock) -> None:
        self.settings = f"[providers.{quoted(name)}]"
        self._name = name
        self._timeouts = config.timeouts
        self._http = http
        self._clock = clock
        self._base = urlsplit(_base_url(name, config, self.settings))
        self._headers = _headers(self._base, config, self.settings)
        self._secrets = _secrets(self._base, config)
        self._proxy = _proxy_for(self._base)
        self._limits = aiohttp.ClientTimeout(total=None, sock_connect=config.timeouts.connect)

    def __repr__(self) -> str:
        return f"Endpoint({public_url(self._base.geturl())!r})"

    async def open_reply(self, path: str, data: bytes, model: str) -> Reply:
        """POST and read up to the first chunk.

        Args:
            path: Below the base address, e.g. ``chat/completions``.
            data: The body, JSON.
            model: For messages.

        Raises:
            AttemptError: It did not come to a first chunk.
        """
        errors = CallErrors(self._name, model, self.settings, self._secrets)
        response, head = await self._first_bytes(path, data, errors, self._headers)
        reply = Reply(response, errors, self._timeouts)
        try:
            reply.take(head)
            while not reply.chunks and not reply.ended:
                await reply.advance()
            if not reply.chunks:
                reply.raise_failure()
        except ProviderError as error:
            reply.close()
            failure = reply.reader.failure
            refusal = failure if isinstance(failure, Refusal) else None
            transient = refusal.is_transient if refusal else reply.reader.is_cut
            raise AttemptError(error, refusal=refusal, is_transient=transient) from error
        except BaseException:
            reply.close()
            raise
        return reply

    async def open_body(
        self, path: str, data: bytes, model: str, *, content_type: str = "application/json"
    ) -> ReplyBody:
        """POST and read up to the first bytes of a reply that is no chat.

        Args:
            path: Below the base address, e.g. ``embeddings``, or a whole address.
            data: The body.
            model: For messages.
            content_type: Of the body.

        Raises:
            AttemptError: It did not come to a first byte.
        """
        errors = CallErrors(self._name, model, self.settings, self._secrets)
        headers = {**self._headers, "content-type": content_type, "accept": "*/*"}
        response, head = await self._first_bytes(path, data, errors, headers)
        return ReplyBody(response, head, errors, self._timeouts)

    async def _first_bytes(
        self, path: str, data: bytes, errors: CallErrors, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """A reply with status 200, and the beginning of its body (empty if it has none)."""
        try:
            async with asyncio.timeout(self._timeouts.first_byte):
                response = await self._post(path, data, headers)
                try:
                    if response.status != 200:
                        raise await self._refused(response, errors)
                    return response, await response.content.readany()
                except BaseException:
                    response.close()
                    raise
        except aiohttp.ClientError as error:
            raise self._unreachable(error, errors) from error
        except TimeoutError as error:
            what = f"sent nothing for {self._timeouts.first_byte:g} s"
            hint = f"raise timeouts.first_byte in {self.settings} if it needs longer"
            raise AttemptError(errors.timed_out(f"{what}; {hint}")) from error
        except OSError as error:
            raise self._unreachable(error, errors) from error

    async def _post(self, path: str, data: bytes, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        return await self._http.session().post(
            path if "://" in path else _below(self._base, path),
            data=data if len(data) < _LARGE_BODY else io.BytesIO(data),
            headers=headers,
            timeout=self._limits,
            # Where a redirect leads, the key must not go unasked.
            allow_redirects=False,
            proxy=self._proxy,
        )

    async def _refused(self, response: aiohttp.ClientResponse, errors: CallErrors) -> AttemptError:
        if response.status < 400:
            where = public_url(response.headers.get("Location", ""))
            what = f"answered {response.status}{f' and points to {where}' if where else ''}"
            return AttemptError(errors.bad_reply(f"{what}; check base_url in {self.settings}"))
        body = b""
        # To the end where it is near, so that the connection can serve the next attempt.
        while len(body) < _MAX_REFUSAL_BYTES and (data := await response.content.readany()):
            body += data
        refusal = parse_refusal(body, response.status)
        after = parse_retry_after(response.headers, self._clock.now())
        return AttemptError(
            errors.refused(refusal, after),
            refusal=refusal,
            is_transient=refusal.is_transient,
            retry_after=after,
        )

    def _unreachable(self, error: Exception, errors: CallErrors) -> AttemptError:
        text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
        reason = text or type(error).__name__
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError) or not isinstance(
            error, aiohttp.ClientError
        ):
            if isinstance(error, TimeoutError):
                reason = f"no connection within {self._timeouts.connect:g} s"
            where = public_url(self._base.geturl())
            what = f"cannot be reached at {where}: {reason}; check base_url in {self.settings}"
            return AttemptError(errors.timed_out(what), is_transient=True)
        stale = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        what = f"broke off before it answered: {reason}"
        return AttemptError(errors.bad_reply(what), is_transient=True, is_stale=stale)


class Reply:
    """A reply being read: `chunks` came last, `advance` fetches the next ones.

    Args:
        response: With status 200.
        errors: Makes the errors.
        timeouts: How long the service may be silent.
    """

    def __init__(self, response: aiohttp.ClientResponse, errors: CallErrors, timeouts: Timeouts) -> None:
        self.reader = ReplyReader()
        self.chunks: list[ChatChunk] = []
        self.ended = False
        self._response = response
        self._content = response.content
        self._errors = errors
        self._silence = timeouts.between_chunks
        self._loop = asyncio.get_running_loop()
        self._waiting_since: float | None = None
        self._is_silent = False
        self._in_trailer = False
        self._watch = self._loop.call_later(self._silence, self._check)

    async def advance(self) -> None:
        """Read on; afterwards `chunks` may be empty.

        Raises:
            ProviderTimeoutError: The service was silent for too long.
            BadReplyError: The connection broke.
        """
        self._waiting_since = self._loop.time()
        try:
            data = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            self._salvage(error)
            return
        finally:
            self._waiting_since = None
        self.take(data)

    def take(self, data: bytes) -> None:
        """Work on what was read; nothing means that the body has ended."""
        reader = self.reader
        if data:
            self.chunks = reader.feed(data)
            if reader.done or reader.failure is not None:
                self.ended = True
            elif reader.finish_reason is not None and not self._in_trailer:
                self._in_trailer = True
                self._silence = min(self._silence, _TRAILER_SECONDS)
                self._watch.cancel()
                self._watch = self._loop.call_later(self._silence, self._check)
        else:
            self.chunks = reader.finish()
            self.ended = True

    def raise_failure(self) -> None:
        """Raise why the reply ended, unless it ended well.

        Raises:
            ProviderError: What the service reported, or what is wrong with its reply.
        """
        failure = self.reader.failure
        if isinstance(failure, Refusal):
            raise self._errors.refused(failure)
        if failure is not None:
            raise self._errors.bad_reply(failure)

    async def drain(self) -> None:
        """Let the body come to its end, so that the connection can be used again."""
        if not self._content.is_eof():
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while await self._content.readany():
                        pass

    def close(self) -> None:
        """Stop reading; a connection whose body has not ended is closed."""
        self._watch.cancel()
        self._response.close()

    def _salvage(self, error: Exception) -> None:
        """Take what had arrived before the connection broke or fell silent."""
        # aiohttp refuses to hand out buffered bytes once an error is set, so take the error away first.
        self._content.set_exception(None)  # type: ignore[arg-type]
        self.chunks = self.reader.feed(self._content.read_nowait())
        self.ended = True
        reader = self.reader
        if reader.done or reader.failure is not None or reader.finish_reason is not None:
            return
        if self._is_silent:
            raise self._errors.timed_out(
                f"sent nothing for {self._silence:g} s in the middle of its reply; "
                f"raise timeouts.between_chunks in {self._errors.settings} if it needs longer"
            ) from error
        reader.is_cut = True
        reader.failure = "the connection broke in the middle of the reply"

    def _check(self) -> None:
        """Runs rarely, so that no timer has to be set anew for every chunk."""
        now = self._loop.time()
        since = self._waiting_since
        left = self._silence if since is None else since + self._silence - now
        if left > 0:
            self._watch = self._loop.call_later(left, self._check)
        else:
            self._is_silent = True
            self._content.set_exception(TimeoutError())


def _base_url(name: str, config: ProviderConfig, settings: str) -> str:
    service = SERVICES.get(provider_key(name))
    if not config.base_url and service is None:
        raise CredentialsError(
            f"provider {name!r} has no address; set base_url in {settings} of weft.toml", provider=name
        )
    url = config.base_url or (service.base_url if service else "")
    if service and url == service.base_url and service.needs_key and not (config.api_key or config.headers):
        raise CredentialsError(
            f"provider {name!r} has no key; set api_key in {settings} of weft.toml", provider=name
        )
    return url


def _below(base: SplitResult, path: str) -> str:
    """The address of a path; a query of the base address (Azure's ``api-version``) stays."""
    root = base.path.rstrip("/") or "/v1"
    return base._replace(path=f"{root.removesuffix('/chat/completions')}/{path}").geturl()


def _headers(base: SplitResult, config: ProviderConfig, settings: str) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream, application/json",
        # A compressing proxy would hold chunks back.
        "accept-encoding": "identity",
        "user-agent": "weft",
    }
    key = config.api_key.strip()
    if key and (base.hostname or "").endswith(_AZURE_HOSTS):
        headers["api-key"] = key
    elif key:
        headers["authorization"] = f"Bearer {key}"
    headers |= {name.lower(): value.strip() for name, value in config.headers.items()}
    for name, value in headers.items():
        if not (name + value).isprintable():
            raise ConfigError(
                f"{settings}: the value for header {name!r} holds a line break or the like; remove it"
            )
    return headers


def _secrets(base: SplitResult, config: ProviderConfig) -> tuple[str, ...]:
    """What must not show up in a message; shorter values are words, and hiding them would garble it."""
    found = {config.api_key.strip(), base.password or "", unquote(base.password or "")}
    found = {value for value in found if len(value) >= 4}
    others = [value for _, value in parse_qsl(base.query)]
    for value in config.headers.values():
        others += [value.strip(), value.strip().partition(" ")[2]]
    found |= {value for value in others if len(value) >= 8}
    return tuple(sorted(found, key=len, reverse=True))


def _proxy_for(base: SplitResult) -> str | None:
    """The proxy that this machine's settings name for the address, looked up once."""
    host = base.hostname or ""
    with contextlib.suppress(ValueError):
        if ip_address(host).is_loopback:
            return None
    if host == "localhost" or proxy_bypass(host):
        return None
    return getproxies().get(base.scheme)
