"""What people think of answers, as the metadata of runs tells it.

The fields are those of a console's list of messages, instants in unix seconds, without what is absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from weft.sessions.plain import JsonObject, objects, plain
from weft.sessions.turn import Turn
from weft.store import Annotation, Feedback

_PEOPLE = {"from_end_user_id": "end_user_id", "from_account_id": "account_id"}
_FEEDBACK = (
    "id",
    "rating",
    "content",
    "from_source",
    "from_end_user_id",
    "from_account_id",
    "created_at",
    "updated_at",
)
_ANNOTATION = ("id", "question", "content", "account_id", "created_at", "updated_at")


def opinions_of(feedback: Sequence[Feedback], annotation: Annotation | None) -> JsonObject:
    """What people think of a message, as its log tells it."""
    found: JsonObject = {}
    if feedback:
        found["feedback"] = [
            _held({name: getattr(one, _PEOPLE.get(name, name)) for name in _FEEDBACK}, _FEEDBACK)
            for one in feedback
        ]
    if annotation is not None:
        fields = {name: getattr(annotation, name) for name in _ANNOTATION if name != "content"}
        found["annotation"] = _held({**fields, "content": annotation.answer}, _ANNOTATION)
    return found


def told_opinions(item: Mapping[str, object]) -> JsonObject:
    """The same out of the log of a message, this server's or another's."""
    found: JsonObject = {}
    given = objects(item.get("feedbacks")) or objects([item.get("feedback")])
    if given:
        found["feedback"] = [_held(one, _FEEDBACK) for one in given]
    annotation = item.get("annotation")
    if isinstance(annotation, Mapping) and annotation:
        found["annotation"] = _held({"content": annotation.get("answer"), **annotation}, _ANNOTATION)
    return found


def count_feedback(turns: Iterable[Turn]) -> dict[str, dict[str, int]]:
    """How many judgements there are, by who gave them and by what they say."""
    found: dict[str, dict[str, int]] = {}
    for turn in turns:
        for one in objects(turn.opinions.get("feedback")):
            ratings = found.setdefault(str(one.get("from_source") or "user"), {})
            rating = str(one.get("rating"))
            ratings[rating] = ratings.get(rating, 0) + 1
    return found


def _held(fields: Mapping[str, object], names: Sequence[str]) -> JsonObject:
    """The fields of these names that are there."""
    found: JsonObject = {}
    for name in names:
        value = fields.get(name)
        if value is not None:
            found[name] = _seconds(value) if name.endswith("_at") else plain(value)
    return found


def _seconds(value: object) -> object:
    """Whole unix seconds of an instant; what cannot be read stays as it is."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return int(instant.timestamp() // 1) if isinstance(instant, datetime) else instant
