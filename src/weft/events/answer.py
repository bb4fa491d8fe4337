"""Text that a person sees while the run goes on."""

from __future__ import annotations

from typing import Literal

import msgspec

from weft.events.frame import ROOT, Frame
from weft.variables import Selector


class TextStreamed(msgspec.Struct, frozen=True, tag=True):
    """The next piece of the answer; all pieces joined are the stored answer."""

    text: str
    selector: Selector
    """What the piece was read from: a variable, or ``(answer node, "answer")`` for its plain text."""
    node_id: str
    """The node that the piece is attributed to."""
    frame: Frame = ROOT


class ReasoningStreamed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The next piece of what a model thought, kept apart from its answer."""

    text: str
    node_id: str
    is_final: bool = False


class AnswerReplaced(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Everything streamed so far is void; this is the answer."""

    text: str
    reason: Literal["output_moderation", "annotation_reply", "state_snapshot"]
    """``state_snapshot`` is told to those who join a run later."""
