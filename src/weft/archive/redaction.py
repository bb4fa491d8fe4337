"""Personal data and secrets, taken out before anything is written.

A `Redactor` goes over every text of a conversation or a run, names of fields included, and puts
``[EMAIL]`` and the like in place of what its rules find, or a token that `weft.archive.secret_book` can
reveal. Ids and instants that the archive files things by
are left as they are. All patterns run in time linear to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from weft.archive.attachment import FIELD, ref_of
from weft.archive.conversation import Conversation
from weft.archive.json_text import JsonObject
from weft.archive.run_record import RunRecord
from weft.errors import ConfigError

Span = tuple[int, int]
Mask = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class RedactionRule:
    """One kind of thing that is not to be kept."""

    name: str
    """Stands in the text instead, in capitals and brackets; a token has it too."""
    pattern: re.Pattern[str]
    spans: Callable[[str], Iterable[Span]] | None = None
    """Which parts of a match really are such a thing, e.g. by a checksum; none means the whole."""

    @classmethod
    def custom(cls, name: str, pattern: str) -> RedactionRule:
        """A rule of your own.

        Raises:
            ConfigError: The pattern is no regular expression, or matches the empty text.
        """
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                f"redaction rule {name!r}: {pattern!r} is no regular expression: {error}"
            ) from error
        if compiled.search("") is not None:
            raise ConfigError(f"redaction rule {name!r}: {pattern!r} matches the empty text")
        return cls(name, compiled)

    def apply(self, text: str, mask: Mask | None = None) -> str:
        """The text without what this rule finds.

        Args:
            text: Any text.
            mask: Given the rule's name and what it found, says what stands there instead.
        """

        def replace(found: re.Match[str]) -> str:
            matched = found[0]
            if self.spans is None:
                return put(self.name, matched)
            parts, at = [], 0
            for start, end in self.spans(matched):
                parts += [matched[at:start], put(self.name, matched[start:end])]
                at = end
            return "".join([*parts, matched[at:]])

        put = mask or _plain
        return self.pattern.sub(replace, text)


def _plain(name: str, text: str) -> str:
    return f"[{name.upper()}]"


# Source: ISO/IEC 7812; the first digit of cards of payment.
_CARD_STARTS = frozenset("23456")
_DOUBLED = {"0": 0, "1": 2, "2": 4, "3": 6, "4": 8, "5": 1, "6": 3, "7": 5, "8": 7, "9": 9}
_PLAIN = {digit: int(digit) for digit in "0123456789"}


def _card_spans(text: str) -> Iterable[Span]:
    """Parts of 13 to 19 digits, beginning and ending with a group, whose Luhn sum is right."""
    places = [index for index, letter in enumerate(text) if letter.isdigit()]
    digits = "".join(text[place] for place in places)
    count = len(places)
    begins = [n == 0 or places[n] - places[n - 1] > 1 for n in range(count)]
    at = 0
    while at <= count - 13:
        end = at
        if begins[at] and digits[at] in _CARD_STARTS:
            ends = (at + length for length in range(min(19, count - at), 12, -1))
            fits = (end for end in ends if (end == count or begins[end]) and _luhn(digits[at:end]))
            end = next(fits, at)
        if end > at:
            yield places[at], places[end - 1] + 1
        at = max(end, at + 1)


def _luhn(digits: str) -> bool:
    if digits == digits[0] * len(digits):
        return False
    plain = sum(map(_PLAIN.__getitem__, digits[-1::-2]))
    return (plain + sum(map(_DOUBLED.__getitem__, digits[-2::-2]))) % 10 == 0


# Source: the IBAN registry of SWIFT, lengths by country.
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FO", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"), 20),
    **dict.fromkeys(("CH", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "SO", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    "LC": 32,
    "RU": 33,
}


def _iban_spans(text: str) -> Iterable[Span]:
    length = _IBAN_LENGTHS.get(text[:2].upper())
    places = [index for index, letter in enumerate(text) if letter.isalnum()]
    if length is None or len(places) < length:
        return
    end = places[length - 1] + 1
    compact = "".join(text[place] for place in places[:length]).upper()
    if int("".join(str(int(letter, 36)) for letter in compact[4:] + compact[:4])) % 97 == 1:
        yield 0, end


_KEYS = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,10000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|(?<![\w-])(?:sk|pk|rk|app|dataset)-[A-Za-z0-9_-]{16,}"
    r"|(?<![\w-])(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"
    r"|(?<![\w-])gh[pousr]_[A-Za-z0-9]{30,}"
    r"|(?<![\w-])xox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|(?<![\w-])AIza[\w-]{35}"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
    r"|(?<![\w-])[Bb]earer +[A-Za-z0-9._~+/-]{16,}=*"
)
_EMAIL = re.compile(r"[\w%+][\w.%+'-]{0,63}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_CARD = re.compile(r"(?<![\w-])[0-9](?:[ -]?[0-9]){12,30}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w+-])(?:"
    r"(?:\+|00)[1-9](?:[ ().\/-]{0,2}[0-9]){7,14}"
    r"|\([0-9]{2,5}\)[ ]?[0-9]{3,4}[ .-]?[0-9]{3,5}"
    r"|[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4}"
    r"|0[0-9]{1,4}[ \/-][0-9]{3,8}(?:[ -][0-9]{2,4}){0,3}"
    r")(?![\w-])"
)

STANDARD_RULES = (
    RedactionRule("key", _KEYS),
    RedactionRule("email", _EMAIL),
    RedactionRule("iban", _IBAN, _iban_spans),
    RedactionRule("card", _CARD, _card_spans),
    RedactionRule("phone", _PHONE),
)
"""Keys and tokens, e-mail addresses, IBANs, payment cards (with their check digit), telephone numbers."""

_KEPT = frozenset({"conversation_id", "app_id", "organization_id", "run_id", "created_at", "updated_at"})
_KEPT_RECORD = _KEPT | {"logged_at", "finished_at", "status"}
_KEPT_PART = _KEPT | {"id", "workflow_run_id", "parent_message_id", "node_id"}


class Tokens(Protocol):
    """Gives what stands for a text, in place of the name of its rule alone."""

    def token(self, scope: str, rule: str, text: str) -> str:
        """What stands for a text of this conversation or run."""
        ...


class Redactor:
    """Applies rules to everything that is about to be stored.

    Args:
        rules: In the order in which they are applied.
        tokens: Makes what can be revealed again; none leaves only the names of rules.
    """

    def __init__(self, rules: Iterable[RedactionRule] = STANDARD_RULES, tokens: Tokens | None = None) -> None:
        self.rules = tuple(rules)
        self.tokens = tokens

    def with_tokens(self, tokens: Tokens) -> Redactor:
        """The same rules, with tokens in the place of what they find."""
        return Redactor(self.rules, tokens)

    def text(self, value: str) -> str:
        """A text without what the rules find; never with tokens, as it belongs to no conversation."""
        return _Pass(self.rules, None).text(value)

    def conversation(self, conversation: Conversation, found: dict[str, str] | None = None) -> Conversation:
        """A conversation without what the rules find.

        Args:
            conversation: As it came.
            found: Gets the texts that tokens stand for.
        """
        work = _Pass(self.rules, self._mask(conversation.id, found))
        fields = work.mapping(conversation.fields, _KEPT_RECORD | {"messages"})
        fields["messages"] = [work.mapping(message, _KEPT_PART) for message in conversation.messages]
        return Conversation.parse(fields)

    def run(self, run: RunRecord, found: dict[str, str] | None = None) -> RunRecord:
        """A run without what the rules find.

        Args:
            run: As it came.
            found: Gets the texts that tokens stand for.
        """
        work = _Pass(self.rules, self._mask(run.conversation_id or run.id, found))
        fields = work.mapping(run.fields, _KEPT_RECORD | {"node_executions"})
        executions = cast("list[object]", run.fields["node_executions"])
        fields["node_executions"] = [
            work.mapping(cast(JsonObject, item), _KEPT_PART) if isinstance(item, dict) else work.value(item)
            for item in executions
        ]
        return RunRecord.parse(fields)

    def _mask(self, scope: str, found: dict[str, str] | None) -> Mask | None:
        tokens = self.tokens
        if tokens is None:
            return None

        def mask(rule: str, text: str) -> str:
            token = tokens.token(scope, rule, text)
            if found is not None:
                found[token] = text
            return token

        return mask


class _Pass:
    """One record on its way through the rules."""

    def __init__(self, rules: Sequence[RedactionRule], mask: Mask | None) -> None:
        self._rules = rules
        self._mask = mask

    def text(self, value: str) -> str:
        for rule in self._rules:
            value = rule.apply(value, self._mask)
        return value

    def mapping(self, value: JsonObject, kept: frozenset[str]) -> JsonObject:
        result: JsonObject = {}
        for key, item in value.items():
            # Only text and nothing are ids and instants; whatever else has such a name is content.
            if key in kept and (key in {"messages", "node_executions"} or isinstance(item, str | None)):
                result[key] = item
                continue
            name = self.text(key)
            while name in result:
                name += "_"
            result[name] = self._note(item) if key == FIELD else self.value(item)
        return result

    def value(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.mapping(value, frozenset())
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, int) and not isinstance(value, bool) and value > 999_999_999_999:
            text = str(value)
            found = self.text(text)
            return value if found == text else found
        return value

    def _note(self, value: object) -> object:
        """What the archive noted of an attached file: its sum is no content."""
        clean = self.value(value)
        ref = ref_of(value) if isinstance(value, dict) else None
        return {**clean, "sha256": ref.sha256} if ref is not None and isinstance(clean, dict) else clean
