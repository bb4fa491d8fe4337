"""Searches in SQLite's own words; everything from outside stands in quotes there."""

from __future__ import annotations

from collections.abc import Iterable

from weft.archive.index.ending import Endings
from weft.archive.index.expression import And, Expression, Has, Not, Or, Text
from weft.archive.index.facet import EVERY, facet
from weft.archive.index.parser import rating
from weft.archive.index.token import cutter, split_words
from weft.archive.query import Query
from weft.errors import InvalidRequestError

MAX_VALUES = 500
"""Apps, sources or conversations in one filter."""


def restrict(expression: Expression, query: Query) -> Expression:
    """The expression and, in addition, what a query asks of each message.

    Start and end are not among it; they are bounds of the message's instant.

    Raises:
        InvalidRequestError: A filter lists too many values.
    """
    parts: list[Expression] = [expression]
    if query.organization_id is not None:
        parts.append(Has("org", query.organization_id))
    if query.end_user_id is not None:
        parts.append(Has("user", query.end_user_id))
    if query.rating is not None:
        parts.append(rating(query.rating))
    if query.app_ids is not None:
        parts.append(_any("app_ids", [Has("app", id) for id in sorted(query.app_ids)]))
    if query.from_sources is not None:
        parts.append(_any("from_sources", [Has("source", name) for name in sorted(query.from_sources)]))
    if query.conversation_ids is not None:
        ids = sorted(query.conversation_ids)
        parts.append(_any("conversation_ids", [Has("conversation", id) for id in ids]))
    return And(tuple(parts))


def render_match(expression: Expression, endings: Endings | None = None) -> str:
    """The expression as SQLite's full-text search takes it.

    Args:
        endings: To name the words that a beginning stands for: SQLite then finds the newest matches without
            looking at all of them, which it does for a beginning.
    """
    if isinstance(expression, Text):
        return _text(expression, endings)
    if isinstance(expression, Has):
        return _word(facet(expression.name, expression.value))
    if isinstance(expression, Not):
        return f"({_word(EVERY)} NOT {render_match(expression.part, endings)})"
    if isinstance(expression, Or):
        parts = [render_match(part, endings) for part in expression.parts]
        return _joined(" OR ", parts) or f"({_word(EVERY)} NOT {_word(EVERY)})"
    flat = list(_flat(expression))
    wanted = [render_match(part, endings) for part in flat if not isinstance(part, Not)]
    unwanted = [render_match(part.part, endings) for part in flat if isinstance(part, Not)]
    found = _joined(" AND ", wanted) or _word(EVERY)
    return f"({found} NOT {_joined(' OR ', unwanted)})" if unwanted else found


def _flat(expression: And) -> Iterable[Expression]:
    for part in expression.parts:
        if isinstance(part, And):
            yield from _flat(part)
        else:
            yield part


def _joined(by: str, parts: Iterable[str]) -> str:
    found = list(parts)
    return f"({by.join(found)})" if len(found) > 1 else "".join(found)


def _word(word: str) -> str:
    return f'"{word}"'


def _text(text: Text, endings: Endings | None) -> str:
    words, is_beginning = split_words(text.text, is_prefix=text.is_prefix)
    found = _quoted(words) + ("*" if is_beginning else "")
    if is_beginning and endings is not None:
        *before, last = cutter().cut(words) or [""]
        phrases = [_quoted(" ".join([*before, word])) for word in endings(last)]
        found = _joined(" OR ", phrases) or found
    # Our own words for properties are in no text, so without a field there is nothing to keep them out.
    return f"({text.field} : {found})" if text.field else found


def _quoted(words: str) -> str:
    return '"' + words.replace('"', '""') + '"'


def _any(field: str, parts: list[Expression]) -> Expression:
    if len(parts) > MAX_VALUES:
        raise InvalidRequestError(
            f"{field} lists {len(parts)} values, more than {MAX_VALUES}; search in parts",
            {field: "too many values"},
        )
    return Or(tuple(parts))
