"""Everything that can happen in a run, in order, in the past tense.

One union for the whole program: the engine emits it, the recorder stores it, the stream writer translates it
once, at the edge. The terminal events `RunFinished` and `RunPaused` come from whoever owns the run, after
its record is on disk.
"""

from typing import TypeAlias

from weft.events.answer import AnswerReplaced, ReasoningStreamed, TextStreamed
from weft.events.container import ContainerAdvanced, ContainerFinished, ContainerStarted
from weft.events.form import FormFilled, FormRequested, FormTimedOut
from weft.events.frame import ROOT, ContainerKind, Frame
from weft.events.node import NodeFinished, NodeRetried, NodeStarted, NodeStatus
from weft.events.run import PauseReason, RunFinished, RunPaused, RunStarted, RunStatus
from weft.events.side import AgentLogged, FileProduced, ResourcesRetrieved, VariableUpdated

Event: TypeAlias = (
    RunStarted
    | RunFinished
    | RunPaused
    | NodeStarted
    | NodeFinished
    | NodeRetried
    | ContainerStarted
    | ContainerAdvanced
    | ContainerFinished
    | TextStreamed
    | ReasoningStreamed
    | AnswerReplaced
    | VariableUpdated
    | ResourcesRetrieved
    | AgentLogged
    | FileProduced
    | FormRequested
    | FormFilled
    | FormTimedOut
)

__all__ = [
    "ROOT",
    "AgentLogged",
    "AnswerReplaced",
    "ContainerAdvanced",
    "ContainerFinished",
    "ContainerKind",
    "ContainerStarted",
    "Event",
    "FileProduced",
    "FormFilled",
    "FormRequested",
    "FormTimedOut",
    "Frame",
    "NodeFinished",
    "NodeRetried",
    "NodeStarted",
    "NodeStatus",
    "PauseReason",
    "ReasoningStreamed",
    "ResourcesRetrieved",
    "RunFinished",
    "RunPaused",
    "RunStarted",
    "RunStatus",
    "TextStreamed",
    "VariableUpdated",
]
