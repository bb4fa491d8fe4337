"""What a conversation is called."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from weft.errors import CredentialsError, ProviderTimeoutError
from weft.providers import ChatRequest, Message, Models, ScriptedModel

_LONGEST_TITLE = 75
_LONGEST_QUERY = 2000
_PATIENCE = 30.0
"""Seconds that a model has for a title."""
_PROMPT = (
    "Write a title for a conversation that begins with the message below: a few words in the language of the "
    "message, no quotation marks, no full stop. Answer with the title alone.\n\n"
)


def provisional_name(query: str) -> str:
    """The name at birth: the first twenty characters of the query."""
    if not query:
        return "New conversation"
    return query if len(query) <= 20 else query[:20] + "…"


async def title(query: str, models: Models, candidates: list[tuple[str, str]]) -> str:
    """A title made by the first of the app's models; a cut of the query where there is no model to ask.

    Args:
        query: The first message.
        models: Who answers for a model.
        candidates: Provider and name of the app's own models.

    Raises:
        ProviderError: The model failed, or took too long; the conversation keeps the name that it has.
    """
    text = ""
    for provider, name in candidates[:1]:
        try:
            text = await asyncio.wait_for(_ask(query, models, provider, name), _PATIENCE)
        except TimeoutError as error:
            raise ProviderTimeoutError(
                f"no title after {_PATIENCE:g} s", provider=provider, model=name
            ) from error
    if text:
        return text if len(text) <= _LONGEST_TITLE else text[:_LONGEST_TITLE] + "..."
    return query if len(query) <= 50 else query[:47] + "..."


async def _ask(query: str, models: Models, provider: str, name: str) -> str:
    try:
        model, served = models.resolve(provider, name)
    except CredentialsError:
        return ""  # nobody answers for it
    if isinstance(model, ScriptedModel):
        return ""  # a script answers what tests and demos ask, and knows nothing of titles
    request = ChatRequest(
        model=served,
        messages=[Message("user", _PROMPT + query[:_LONGEST_QUERY])],
        parameters={"temperature": 0.2, "max_tokens": 100},
    )
    pieces: list[str] = []
    async with aclosing(model.stream_chat(request)) as chunks:  # type: ignore[type-var]  # generators in practice
        async for chunk in chunks:
            pieces.append(chunk.text)
    return " ".join("".join(pieces).split()).strip("\"'“”「」 ")
