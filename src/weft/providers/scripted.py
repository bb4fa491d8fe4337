"""A model that says what a script tells it: for tests, for demonstrations, for use without a key."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from weft import errors
from weft.clock import Clock, SystemClock
from weft.errors import ConfigError, ProviderError
from weft.providers.chat import ChatChunk, ChatRequest, Feature, TokenUsage
from weft.providers.config import ProviderConfig
from weft.providers.http import Http
from weft.providers.message import ToolCall, ToolCallDelta, last_user_text
from weft.providers.sample import sample_of
from weft.providers.scripted_services import ScriptedServices
from weft.providers.token import estimate_prompt_tokens, estimate_tokens

_ALL_FEATURES: frozenset[Feature] = frozenset(
    ("vision", "audio", "video", "document", "tool-call", "structured-output")
)
_ERRORS: dict[str, type[ProviderError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, ProviderError)
}


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a request looks like this, answer like that; what is not given does not matter.

    The conditions are `node_id`, `model`, `text` and `pattern`; all that are given must hold.
    """

    node_id: str | None = None
    """The node that asks."""
    model: str | None = None
    text: str | None = None
    """Occurs in the last message of the user."""
    pattern: str | None = None
    """Regular expression that is found in the last message of the user."""
    reply: str = ""
    """Streamed word by word. ``{query}`` is the last message of the user."""
    chunks: list[str] | None = None
    """Streamed as they are, instead of `reply`."""
    reasoning: str = ""
    """Streamed word by word before the answer."""
    tool_calls: list[ToolCall] = []
    error: str | None = None
    """Class of `weft.errors` to raise after everything else, e.g. ``RateLimitedError``."""
    message: str = "the script says so"
    """Of that error."""
    delay_s: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds before each chunk."""
    usage: TokenUsage | None = None
    """Reported tokens; ``None`` estimates them."""
    finish_reason: str | None = None
    """``None`` gives ``tool_calls`` if there are any, else ``stop``."""
    times: Annotated[int, Meta(gt=0)] | None = None
    """How often the rule applies before it is spent; ``None`` for ever."""


_ECHO = Rule(reply="You said: {query}")


class Script:
    """Rules, tried in order; without a match the model says the emptiest thing of the form that is asked for,
    or repeats what the user said.

    Args:
        rules: For what is asked in a chat.
        transcript: What is heard in every recording; without it the text that a scripted voice spoke there,
            or the name of the file.

    Raises:
        ConfigError: A rule names no error class or holds no regular expression.
    """

    def __init__(self, rules: list[Rule] | None = None, transcript: str | None = None) -> None:
        self.transcript = transcript
        self._rules = list(rules or [])
        self._patterns = [_compile(rule) for rule in self._rules]
        self._left = [rule.times for rule in self._rules]
        for rule in self._rules:
            if rule.error is not None and rule.error not in _ERRORS:
                known = ", ".join(sorted(_ERRORS))
                raise ConfigError(f"script: unknown error {rule.error!r}; known: {known}")

    @classmethod
    def load(cls, content: Mapping[str, object]) -> Script:
        """A script from a table with a list `rules`, as TOML, YAML or JSON give it.

        Raises:
            ConfigError: It holds something else; the message says where.
        """
        unknown = set(content) - {"rules", "transcript"}
        if unknown:
            raise ConfigError(
                f"script: unknown key {sorted(unknown)[0]!r}; a script holds 'rules' and 'transcript'"
            )
        transcript = content.get("transcript")
        if not isinstance(transcript, str | None):
            raise ConfigError("script: transcript: write the text that is heard in every recording")
        try:
            return cls(msgspec.convert(content.get("rules", []), list[Rule]), transcript)
        except msgspec.ValidationError as error:
            raise ConfigError(f"script: rules: {error}") from error

    def find(self, request: ChatRequest) -> Rule:
        """The first rule that fits; a rule with `times` is used up by it."""
        query = last_user_text(request.messages)
        for place, rule in enumerate(self._rules):
            left = self._left[place]
            if left != 0 and _fits(rule, self._patterns[place], request, query):
                if left is not None:
                    self._left[place] = left - 1
                return rule
        return _without_rule(request)


class ScriptedModel(ScriptedServices):
    """The models of a script; it can do everything, and stands in for the prices of whom it plays.

    Args:
        name: Provider's name as the app spells it.
        script: What to say.
        clock: Waits for `Rule.delay_s`.
        keep: How many of the latest requests to remember.
    """

    def __init__(
        self,
        name: str = "scripted",
        script: Script | None = None,
        *,
        clock: Clock | None = None,
        keep: int = 1000,
    ) -> None:
        self._script = script or Script()
        super().__init__(name, self._script.transcript)
        self.requests: deque[ChatRequest] = deque(maxlen=keep)
        """The latest requests, oldest first."""
        self._clock = clock or SystemClock()

    def features(self, model: str) -> frozenset[Feature]:
        """Everything."""
        return _ALL_FEATURES

    def context_size(self, model: str) -> int | None:
        """Unknown."""
        return None

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Play the rule that fits; see `ChatModel.stream_chat`."""
        self.requests.append(request)
        rule = self._script.find(request)
        chunks = _play(rule, last_user_text(request.messages))
        for chunk in chunks:
            if rule.delay_s:
                await self._clock.sleep(rule.delay_s)
            yield chunk
        if rule.error is not None:
            raise _ERRORS[rule.error](rule.message, provider=self.name, model=request.model)
        reason = rule.finish_reason or ("tool_calls" if rule.tool_calls else "stop")
        yield ChatChunk(usage=rule.usage or _estimate(request, chunks), finish_reason=reason)

    async def close(self) -> None:
        """Nothing to do."""


def open_scripted(name: str, config: ProviderConfig, *, clock: Clock, http: Http) -> ScriptedModel:
    """The provider type ``scripted``; its `options` are the script.

    Raises:
        ConfigError: The script is wrong.
    """
    return ScriptedModel(name, Script.load(config.options), clock=clock)


def split_words(text: str) -> list[str]:
    """Pieces that end before each single space, so that joining them gives the text again."""
    first, *others = text.split(" ")
    return [piece for piece in (first, *(f" {word}" for word in others)) if piece]


def _without_rule(request: ChatRequest) -> Rule:
    """What is said where a certain form is asked for, else what the user said."""
    if request.response_schema is not None:
        return Rule(reply=msgspec.json.encode(sample_of(request.response_schema)).decode())
    return Rule(reply=request.example) if request.example else _ECHO


def _play(rule: Rule, query: str) -> list[ChatChunk]:
    words = rule.chunks if rule.chunks is not None else split_words(rule.reply.replace("{query}", query))
    played = [ChatChunk(reasoning=word) for word in split_words(rule.reasoning)]
    played += [ChatChunk(text=word) for word in words]
    played += [
        ChatChunk(tool_calls=[ToolCallDelta(place, call.id, call.name, call.arguments)])
        for place, call in enumerate(rule.tool_calls)
    ]
    return played


def _estimate(request: ChatRequest, chunks: list[ChatChunk]) -> TokenUsage:
    said = "".join(chunk.reasoning + chunk.text for chunk in chunks)
    said += "".join(call.name + call.arguments for chunk in chunks for call in chunk.tool_calls)
    prompt, completion = estimate_prompt_tokens(request.messages, request.tools), estimate_tokens(said)
    return TokenUsage(prompt, completion, prompt + completion)


def _compile(rule: Rule) -> re.Pattern[str] | None:
    try:
        return None if rule.pattern is None else re.compile(rule.pattern)
    except re.error as error:
        raise ConfigError(f"script: {rule.pattern!r} is no regular expression: {error}") from error


def _fits(rule: Rule, pattern: re.Pattern[str] | None, request: ChatRequest, query: str) -> bool:
    return (
        (rule.node_id is None or rule.node_id == request.node_id)
        and (rule.model is None or rule.model == request.model)
        and (rule.text is None or rule.text in query)
        and (pattern is None or pattern.search(query) is not None)
    )
