"""What an app is not to hear and not to say.

Source: Dify app DSL, feature ``sensitive_word_avoidance``; Dify service API, `message_replace`.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from weft.engine import RunOutcome
from weft.errors import CredentialsError, InvalidRequestError, ProviderError
from weft.events import AnswerReplaced, Event, ReasoningStreamed, TextStreamed
from weft.graph import MODERATION_TYPES
from weft.providers import Models
from weft.variables import Value, render_text

KEYWORDS: Final = "keywords"
PIECE_CHARS: Final = 300
"""After so many further characters a model judges an answer once more."""
STOPPED: Final = "Stopped by output moderation."
_OPENAI_MODEL: Final = "omni-moderation-latest"


@dataclass(frozen=True, slots=True)
class ModerationRules:
    """How an app wants questions and answers judged."""

    kind: str
    """``keywords``, ``openai_moderation``, or one that there is no judge for."""
    keywords: tuple[str, ...] = ()
    """Lower case."""
    input_answer: str | None = None
    """What is said instead of running; ``None`` lets every question pass."""
    output_answer: str | None = None
    """What is said in place of an answer; ``None`` lets every answer pass."""

    @classmethod
    def parse(cls, feature: Mapping[str, object]) -> ModerationRules | None:
        """Read the feature as files have it; nothing where it is off."""
        config = feature.get("config")
        kind = feature.get("type")
        if not feature.get("enabled") or not isinstance(kind, str) or not isinstance(config, Mapping):
            return None
        words = config.get("keywords")
        lines = words.lower().splitlines() if isinstance(words, str) else ()
        answers = (_preset(config.get(name)) for name in ("inputs_config", "outputs_config"))
        return cls(kind, tuple(line.strip() for line in lines if line.strip()), *answers)

    def check(self) -> None:
        """Make sure that there is a judge.

        Raises:
            InvalidRequestError: There is none, so the app must not answer.
        """
        if self.kind not in MODERATION_TYPES:
            raise InvalidRequestError(
                f"The app wants its texts judged by {self.kind!r}, which does not exist here. Choose one of "
                f"{', '.join(MODERATION_TYPES)} in its features, or switch content moderation off."
            )


def _preset(part: object) -> str | None:
    if not isinstance(part, Mapping) or not part.get("enabled"):
        return None
    preset = part.get("preset_response")
    return preset if isinstance(preset, str) else ""


class Judge:
    """Says whether texts break an app's rules."""

    def __init__(self, rules: ModerationRules, models: Models) -> None:
        self._rules = rules
        self._models = models

    @property
    def overlap(self) -> int | None:
        """Of text that was found good so many last characters count again, with what follows; ``None``
        where only the whole can be judged, and that takes time."""
        if self._rules.kind != KEYWORDS:
            return None
        return max((len(word) for word in self._rules.keywords), default=1) - 1

    def finds_word(self, text: str) -> bool:
        """Whether one of the keywords is in it; case makes no difference."""
        lowered = text.lower()
        return any(word in lowered for word in self._rules.keywords)

    async def flags(self, text: str) -> bool:
        """Whether it is not to be said.

        Raises:
            ProviderError: The model could not be asked.
        """
        if self._rules.kind == KEYWORDS:
            return self.finds_word(text)
        if not text.strip():
            return False
        try:
            judging, model = self._models.resolve_moderation()
        except CredentialsError:  # no settings say who judges: the service that the feature is named for
            judging, model = self._models.resolve_moderation("openai", _OPENAI_MODEL)
        return any(found.flagged for found in await judging.moderate(model, [text]))


async def refusal(rules: ModerationRules, models: Models, query: str, inputs: Iterable[object]) -> str | None:
    """What to say instead of running with these; nothing where they may pass.

    Raises:
        ProviderError: The model could not be asked.
    """
    if rules.input_answer is None or rules.kind not in MODERATION_TYPES:
        return None
    texts = [query, *(value if isinstance(value, str) else str(value) for value in inputs)]
    return rules.input_answer if await Judge(rules, models).flags("\n".join(texts)) else None


class OutputModeration:
    """Stands between an engine and all who hear it, and stops an answer that is not to be said.

    Args:
        judge: Judges it.
        preset: What is said in its place.
        emit: Tells everybody.
        stop: Ends the run, for that reason.
        said: What was said before, of a run that goes on.
    """

    def __init__(
        self,
        judge: Judge,
        preset: str,
        *,
        emit: Callable[[Event], None],
        stop: Callable[[str], None],
        said: str = "",
    ) -> None:
        self._judge = judge
        self._overlap = judge.overlap
        self._preset = preset
        self._emit = emit
        self._stop = stop
        self._said = [said]
        self._tail = said[-(self._overlap or 0) :] if self._overlap else ""
        self._unjudged = 0
        self._judging: asyncio.Task[bool] | None = None
        self._last: TextStreamed | None = None
        self.flagged = False
        """Whether the answer is not to be said."""

    def emit(self, event: Event) -> None:
        """Pass on what may be told."""
        if type(event) is not TextStreamed:
            if not (self.flagged and type(event) is ReasoningStreamed):
                self._emit(event)
            return
        if self.flagged:
            return
        self._last = event
        self._said.append(event.text)
        if self._overlap is None:
            self._emit(event)
            self._judge_later(len(event.text))
            return
        near = self._tail + event.text
        if self._judge.finds_word(near):
            self._break_off()
            return
        self._tail = near[-self._overlap :] if self._overlap else ""
        self._emit(event)

    async def finish(self, outcome: RunOutcome) -> RunOutcome:
        """Judge what has not been judged; what an answer must not say is nowhere in the outcome then."""
        try:
            if self._judging is not None and await self._judging:
                self.flagged = True
            if not self.flagged and self._unjudged and await self._judge.flags("".join(self._said)):
                self.flagged = True
        except ProviderError as error:
            if outcome.status != "failed":
                outcome = dataclasses.replace(outcome, status="failed", error=str(error), cause=error)
        if not self.flagged:
            return outcome
        self._emit(AnswerReplaced(text=self._preset, reason="output_moderation"))
        said = "".join(self._said)
        outputs: dict[str, Value] = {
            name: self._preset if name == "answer" or self._repeats(value, said) else value
            for name, value in outcome.outputs.items()
        }
        return dataclasses.replace(outcome, outputs=outputs)

    def _repeats(self, value: Value, said: str) -> bool:
        """Whether an output says what the answer must not say."""
        text = render_text(value)
        return bool(text) and (text == said or self._judge.finds_word(text))

    def close(self) -> None:
        """Judge no further."""
        if self._judging is not None:
            self._judging.cancel()

    def _break_off(self) -> None:
        """Say what is to be said in place of the rest, and end the run."""
        self.flagged = True
        if self._last is not None:
            self._emit(TextStreamed(self._preset, self._last.selector, self._last.node_id, self._last.frame))
        self._stop(STOPPED)

    def _judge_later(self, chars: int) -> None:
        self._unjudged += chars
        if self._unjudged < PIECE_CHARS or (self._judging is not None and not self._judging.done()):
            return
        self._unjudged = 0
        self._judging = asyncio.create_task(self._judge.flags("".join(self._said)))
        self._judging.add_done_callback(self._heed)

    def _heed(self, judging: asyncio.Task[bool]) -> None:
        # An error is that of `finish`, which waits for the same task.
        if not judging.cancelled() and judging.exception() is None and judging.result() and not self.flagged:
            self._break_off()
