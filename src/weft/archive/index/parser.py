"""The language of searches.

::

    refund order          both words
    "late delivery"       this phrase
    refund OR return      either; AND binds closer, parentheses group
    -shipping             without this
    deliv*                words that begin so
    answer:refund         only in answers; likewise query: and name: (the conversation's title)
    app:shop rating:like  properties: app, user, org, model, source, status, rating, conversation, error
    from:2025-10-01       days in UTC, both included; likewise to:
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import cast, get_args

from weft.archive.index.expression import And, Expression, Has, Not, Or, Search, Text, TextField
from weft.archive.index.facet import Property
from weft.archive.index.token import has_words
from weft.errors import InvalidRequestError

MAX_CHARACTERS = 2000
MAX_TERMS = 64
MAX_DEPTH = 16

TEXT_FIELDS: tuple[str, ...] = get_args(TextField)
PROPERTIES: tuple[str, ...] = get_args(Property)
DATES = ("from", "to")
FIELDS = (*TEXT_FIELDS, *PROPERTIES, *DATES)
RATINGS = ("like", "dislike", "none")

_LEXEME = re.compile(
    r"""\s*(?:
      (?P<open>\() | (?P<close>\))
    | (?P<minus>-)(?=[^\s)])
    | (?:(?P<field>[A-Za-z_]+):(?!//))?
      (?: "(?P<phrase>[^"]*)" | (?P<unclosed>") | (?P<word>[^\s()"]+) )?
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Lexeme:
    kind: str
    text: str = ""
    field: str = ""


def parse_search(text: str) -> Search:
    """What this text asks for.

    Raises:
        InvalidRequestError: It cannot be read, or asks for nothing; the message says what to change.
    """
    if len(text) > MAX_CHARACTERS:
        raise _refused(f"it is longer than {MAX_CHARACTERS} characters; shorten it")
    clean = text.replace("\0", " ").encode("utf-8", "replace").decode()
    lexemes = list(_lexemes(clean))
    if sum(item.kind == "term" for item in lexemes) > MAX_TERMS:
        raise _refused(f"it has more than {MAX_TERMS} words; use fewer")
    parser = _Parser(lexemes)
    expression = parser.whole()
    return Search(expression or And(()), parser.start, parser.end, tuple(_shown(expression)))


def _lexemes(text: str) -> Iterator[_Lexeme]:
    position = 0
    while position < len(text) and text[position:].strip():
        found = _LEXEME.match(text, position)
        if found is None or found.end() == position:
            raise _refused(f"{text[position : position + 20]!r} cannot be read")
        position = found.end()
        field = (found["field"] or "").lower()
        if found["unclosed"]:
            raise _refused('a quotation mark (") is not closed; add the second one')
        if found["open"] or found["close"] or found["minus"]:
            yield _Lexeme("open" if found["open"] else "close" if found["close"] else "minus")
        elif found["phrase"] is not None:
            yield _Lexeme("term", f'"{found["phrase"]}', field)
        elif found["word"] in ("OR", "AND") and not field:
            yield _Lexeme(found["word"])
        elif found["word"] is None:
            raise _refused(f"{field}: has no value; write {field}:value without a space, or put it in quotes")
        else:
            yield _Lexeme("term", found["word"], field)


class _Parser:
    def __init__(self, lexemes: list[_Lexeme]) -> None:
        self._lexemes = lexemes
        self._at = 0
        self.start: date | None = None
        self.end: date | None = None

    def whole(self) -> Expression | None:
        found = self._either(0, negated=False)
        if self._at < len(self._lexemes):
            raise _refused("a parenthesis is closed that was not opened; remove it, or put it in quotes")
        if found is None and self.start is None and self.end is None:
            raise _refused("there is nothing to look for; give a word, or a field such as app:shop")
        return found

    def _peek(self) -> str:
        return self._lexemes[self._at].kind if self._at < len(self._lexemes) else "end"

    def _either(self, depth: int, *, negated: bool) -> Expression | None:
        if depth > MAX_DEPTH:
            raise _refused(f"parentheses are nested deeper than {MAX_DEPTH}")
        parts = [self._all(depth, negated=negated)]
        while self._peek() == "OR":
            self._at += 1
            parts.append(self._all(depth, negated=negated))
        if len(parts) > 1 and None in parts:
            raise _refused("OR needs a word on both sides")
        found = [part for part in parts if part is not None]
        return Or(tuple(found)) if len(found) > 1 else next(iter(found), None)

    def _all(self, depth: int, *, negated: bool) -> Expression | None:
        parts: list[Expression] = []
        count = 0
        while (kind := self._peek()) in ("open", "minus", "term", "AND"):
            if kind == "AND":
                self._at += 1
                if not count or self._peek() in ("OR", "AND", "end", "close"):
                    raise _refused("AND needs a word on both sides")
                continue
            count += 1
            part = self._one(depth, negated=negated)
            if part is not None:
                parts.append(part)
        return And(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)

    def _one(self, depth: int, *, negated: bool) -> Expression | None:
        lexeme = self._lexemes[self._at]
        self._at += 1
        if lexeme.kind == "minus":
            if self._peek() not in ("open", "term"):
                raise _refused("a minus sign has nothing to exclude; put a word right behind it")
            part = self._one(depth + 1, negated=True)
            return None if part is None else Not(part)
        if lexeme.kind == "open":
            part = self._either(depth + 1, negated=negated or self._has_alternatives())
            if self._peek() != "close":
                raise _refused("a parenthesis is not closed; add the second one")
            self._at += 1
            return part
        return self._term(lexeme, negated=negated)

    def _has_alternatives(self) -> bool:
        return any(item.kind == "OR" for item in self._lexemes)

    def _term(self, lexeme: _Lexeme, *, negated: bool) -> Expression | None:
        is_phrase = lexeme.text.startswith('"')
        value = lexeme.text[1:] if is_phrase else lexeme.text
        if not lexeme.field or lexeme.field in TEXT_FIELDS:
            is_prefix = not is_phrase and len(value) > 1 and value.endswith("*")
            if not has_words(value):
                return None  # a sign between words, as in "salt & pepper"
            return Text(
                value.rstrip("*") if is_prefix else value,
                is_prefix,
                cast("TextField | None", lexeme.field or None),
            )
        if lexeme.field in DATES:
            if negated or self._has_alternatives():
                raise _refused(f"{lexeme.field}: stands for the whole search; use it without - and OR")
            self._bound(lexeme.field, value)
            return None
        if lexeme.field not in PROPERTIES:
            raise _refused(
                f"there is no field {lexeme.field!r}; choose one of: {', '.join(FIELDS)}, "
                "or put the text in quotes"
            )
        return _property(cast(Property, lexeme.field), value)

    def _bound(self, name: str, value: str) -> None:
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise _refused(f"{name}:{value} is not a day; write {name}:2025-10-01") from error
        if name == "from":
            self.start = day
        else:
            self.end = day


def _property(name: Property, value: str) -> Expression:
    if not value:
        raise _refused(f"{name}: has no value")
    if name == "rating":
        if value not in RATINGS:
            raise _refused(f"rating:{value} is none of {', '.join(RATINGS)}")
        return rating(value)
    if name == "error":
        if value not in ("yes", "no"):
            raise _refused(f"error:{value} is neither yes nor no")
        failed = Has("error", "yes")
        return failed if value == "yes" else Not(failed)
    return Has(name, value)


def rating(value: str) -> Expression:
    """Messages whose answer was rated so, or was not rated."""
    if value == "none":
        return Not(Or((Has("rating", "like"), Has("rating", "dislike"))))
    return Has("rating", value)


def _shown(expression: Expression | None) -> Iterator[Text]:
    if isinstance(expression, Text):
        yield expression
    elif isinstance(expression, And | Or):
        for part in expression.parts:
            yield from _shown(part)


def _refused(why: str) -> InvalidRequestError:
    return InvalidRequestError(f"the search cannot be understood: {why}", {"text": why})
