"""Questions that somebody could ask next."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing

import msgspec

from weft.errors import ProviderError
from weft.providers import ChatRequest, Message, Models, ScriptedModel

log = logging.getLogger(__name__)

NODE_ID = "suggested-questions"
"""Who asks, for scripts."""
_MOST = 5
_LONGEST = 300
_LONGEST_TEXT = 3000
_PATIENCE = 30.0
"""Seconds that a model has for its questions."""
_PROMPT = (
    "Which three questions would the user most likely ask next? Write them as the user would, in the "
    "language of the conversation, each under twenty words, none that has been answered already. Answer with "
    'a JSON array of three texts and nothing else, like ["...", "...", "..."].'
)
_EXAMPLE = (
    "Can you tell me more about this?",
    "Can you give me an example?",
    "What should I know next?",
)
_ARRAY = re.compile(r"\[.*?\]", re.DOTALL)
_REASONING = re.compile(r"<think>.*?</think>", re.DOTALL)


async def suggest(
    turns: Sequence[tuple[str, str]],
    models: Models,
    feature: Mapping[str, object],
    candidates: Sequence[tuple[str, str]],
) -> list[str]:
    """Questions to follow a conversation, usually three; none where no model can be asked or it fails.

    Args:
        turns: The newest queries with their answers, oldest first.
        models: Who answers for a model.
        feature: The app's settings of the feature; it may name a model and instructions of its own.
        candidates: Provider and name of the app's own models; the first counts.
    """
    chosen = _model(feature) or next(iter(candidates), None)
    if chosen is None:
        return []
    try:
        return await asyncio.wait_for(_ask(turns, models, feature, *chosen), _PATIENCE)
    except TimeoutError:
        log.info("no questions are suggested: %s/%s said nothing for %g s", *chosen, _PATIENCE)
    except ProviderError as error:
        log.info("no questions are suggested: %s", error)
    return []


def parse_questions(text: str) -> list[str]:
    """The texts of the last JSON array in a reply, whatever stands around it; none without such an array."""
    bare = _REASONING.sub("", text)
    # From the first bracket to the last, because a question may hold some; then each pair by itself.
    whole = bare[bare.find("[") : bare.rfind("]") + 1]
    pairs = [match[0] for match in _ARRAY.finditer(bare)]
    return next((found for piece in (whole, *reversed(pairs)) if (found := _questions(piece))), [])


def _questions(piece: str) -> list[str]:
    try:
        items = msgspec.json.decode(piece)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    texts = [_question(item) for item in items] if isinstance(items, list) else []
    return list(dict.fromkeys(text for text in texts if text))[:_MOST]


async def _ask(
    turns: Sequence[tuple[str, str]], models: Models, feature: Mapping[str, object], provider: str, name: str
) -> list[str]:
    model, served = models.resolve(provider, name)
    request = ChatRequest(
        model=served,
        messages=[*_told(turns), Message("user", _instructions(feature))],
        parameters={"temperature": 0, **_parameters(feature)},
        node_id=NODE_ID,
        example=msgspec.json.encode(_EXAMPLE).decode(),
    )
    pieces: list[str] = []
    async with aclosing(model.stream_chat(request)) as chunks:  # type: ignore[type-var]  # generators in practice
        async for chunk in chunks:
            pieces.append(chunk.text)
    questions = parse_questions("".join(pieces))
    # A script's rules are about what the app asks; one that fits by chance shall not leave nothing.
    return questions or (list(_EXAMPLE) if isinstance(model, ScriptedModel) else [])


def _told(turns: Sequence[tuple[str, str]]) -> list[Message]:
    told: list[Message] = []
    for query, answer in turns:
        told.append(Message("user", query[:_LONGEST_TEXT]))
        told.append(Message("assistant", answer[:_LONGEST_TEXT]))
    return told


def _question(item: object) -> str:
    """A question out of what stands in the array; some models wrap each in an object."""
    if isinstance(item, dict):
        item = item.get("question", next(iter(item.values()), None))
    return " ".join(item.split())[:_LONGEST] if isinstance(item, str) else ""


def _instructions(feature: Mapping[str, object]) -> str:
    own = feature.get("prompt")
    if isinstance(own, str) and own.strip():
        return f"{own.strip()}\n\nAnswer with a JSON array of texts and nothing else."
    return _PROMPT


def _model(feature: Mapping[str, object]) -> tuple[str, str] | None:
    model = feature.get("model")
    if not isinstance(model, Mapping):
        return None
    provider, name = model.get("provider"), model.get("name")
    return (provider, name) if isinstance(provider, str) and isinstance(name, str) and name else None


def _parameters(feature: Mapping[str, object]) -> dict[str, object]:
    model = feature.get("model")
    given = model.get("completion_params") if isinstance(model, Mapping) else None
    return {str(key): value for key, value in given.items()} if isinstance(given, Mapping) else {}
