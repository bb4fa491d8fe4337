"""Reading one step of a model that reasons and acts: a thought, then an action or the final answer.

Models write the form that they were given more or less faithfully. Understood are an action as one JSON
object, with or without a fence around it, as ``Action:`` and ``Action Input:`` on lines of their own, and an
action called *Final Answer*. What is in no form at all is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from weft.nodes.json_reply import find_json_object
from weft.nodes.model_call import ReplySink
from weft.nodes.reasoning import ReasoningSplitter
from weft.variables import Value, render_text

_FINAL = re.compile(r"^[ \t]*[*#]*[ \t]*final[ \t]*answer[ \t]*\**[ \t]*[:：][ \t]*\**", re.IGNORECASE)
_ACTION = re.compile(r"^[ \t]*[*#]*[ \t]*action[ \t]*\**[ \t]*[:：][ \t]*\**(.*)", re.IGNORECASE)
_INPUT = re.compile(
    r"^[ \t]*[*#]*[ \t]*action[ \t]*input[ \t]*\**[ \t]*[:：][ \t]*\**", re.IGNORECASE | re.MULTILINE
)
_OBSERVATION = re.compile(r"^[ \t]*[*#]*[ \t]*observation[ \t]*\**[ \t]*[:：]", re.IGNORECASE | re.MULTILINE)
_THOUGHT = re.compile(r"^\s*[*#]*[ \t]*thought[ \t]*\**[ \t]*[:：][ \t]*\**[ \t]*", re.IGNORECASE)
_BLOB = re.compile(r"^[ \t]*(```|\{)")
_MARK_CHARS = 200
"""A line that is longer has begun with no mark."""


@dataclass(frozen=True, slots=True)
class Act:
    """The model wants a tool to be used."""

    tool: str
    arguments: dict[str, Value] | None
    """``None`` if they cannot be read."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a model wrote."""

    thought: str
    end: Act | str
    """An action, or the final answer."""
    written: str
    """The text up to the end of the action, without observations that the model made up."""


class StepSink(ReplySink):
    """Takes a step as it comes, and says the final answer as soon as there is no doubt that it is one.

    Args:
        say: Gets the pieces of the answer.
    """

    __slots__ = ("_answering", "_line", "_said", "_say", "_splitter", "_undecided", "step")

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self.step = Step("", "", "")
        """Complete when the reply is."""
        self._say = say
        self._splitter = ReasoningSplitter()
        self._line = ""
        """The beginning of the line that is being written."""
        self._answering = False
        self._said = False
        """Some of the answer has been said."""
        self._undecided = True
        """Neither an action nor the final answer has begun."""

    def text(self, piece: str) -> None:
        """The text goes on; it may hold thoughts between tags."""
        answer, thought = self._splitter.feed(piece)
        self._take(answer, thought)

    def finish(self) -> None:
        """Read what was written, and say an answer that has not been said yet."""
        self._take(*self._splitter.finish())
        text = "".join(self.pieces)
        self.step = read_step(text)
        if self._answering or isinstance(self.step.end, Act):
            return
        self._say(self.step.end)

    def _take(self, text: str, thought: str) -> None:
        if thought:
            self.thoughts.append(thought)
        if not text:
            return
        self.pieces.append(text)
        if self._answering:
            self._answer(text)
        elif self._undecided:
            self._look(self._line + text)

    def _answer(self, text: str) -> None:
        text = text if self._said else text.lstrip()
        if text:
            self._said = True
            self._say(text)

    def _look(self, text: str) -> None:
        """Look for a mark at the beginning of each line."""
        lines = text.split("\n")
        for place, line in enumerate(lines):
            final = _FINAL.match(line)
            if final is not None:
                rest = "\n".join([line[final.end() :], *lines[place + 1 :]])
                if rest.strip():
                    self._answering = True
                    self._answer(rest)
                else:  # the mark itself may go on, as in `**Final Answer:**`
                    self._line = "\n".join(lines[place:])
                return
            if _ACTION.match(line) or (_BLOB.match(line) and '"action"' in text):
                self._undecided = False
                return
        self._line = lines[-1][:_MARK_CHARS]


def read_step(text: str) -> Step:
    """What a whole text says."""
    made_up = _OBSERVATION.search(text)
    if made_up is not None and _find_action(text[: made_up.start()]) is not None:
        text = text[: made_up.start()]
    lines = text.split("\n")
    final = next((place for place, line in enumerate(lines) if _FINAL.match(line)), len(lines))
    found = _find_action("\n".join(lines[:final]))
    if found is not None:
        place, end = found
        return Step(_thought("\n".join(lines[:place])), end, text.rstrip())
    if final == len(lines):
        return Step("", _thought(text), text)
    rest = [_FINAL.sub("", lines[final], count=1), *lines[final + 1 :]]
    return Step(_thought("\n".join(lines[:final])), "\n".join(rest).strip(), text)


def _find_action(text: str) -> tuple[int, Act | str] | None:
    """The first line that begins an action, and what that is."""
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if _ACTION.match(line) or _BLOB.match(line):
            end = _action("\n".join(lines[place:]))
            if end is not None:
                return place, end
    return None


def _thought(text: str) -> str:
    return _THOUGHT.sub("", text, count=1).strip()


def _action(text: str) -> Act | str | None:
    """The action that a text begins with, or the answer if that is what the action is."""
    found = find_json_object(text)
    if found is not None and isinstance(found.get("action"), str):
        name, given = str(found["action"]), found.get("action_input", found.get("input"))
        if name.replace(" ", "").replace("_", "").lower() == "finalanswer":
            return render_text(given)
        return Act(name, _arguments(given))
    named = _ACTION.match(text.split("\n", 1)[0])
    name = "" if named is None else named[1].strip().strip("`*\"' ")
    if not name or name.startswith("{"):
        return None
    written = _INPUT.search(text)
    return Act(name, {} if written is None else _arguments(text[written.end() :]))


def _arguments(given: Value) -> dict[str, Value] | None:
    if isinstance(given, dict):
        return given
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    return find_json_object(given) if isinstance(given, str) else None
