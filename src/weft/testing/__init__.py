"""What users of Weft test their chatflows with, and authors of plugins their plugins.

A name is imported when it is first used: pytest loads this room wherever Weft is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.testing.case import Case as Case
    from weft.testing.case import CaseFile as CaseFile
    from weft.testing.case import read_cases as read_cases
    from weft.testing.difference import Difference as Difference
    from weft.testing.expectation import Expectation as Expectation
    from weft.testing.expectation import NodeExpectation as NodeExpectation
    from weft.testing.flow import Flow as Flow
    from weft.testing.flow import FlowRun as FlowRun
    from weft.testing.flow import ask as ask
    from weft.testing.flow import open_flow as open_flow
    from weft.testing.mock import Mock as Mock
    from weft.testing.mock import Mocks as Mocks
    from weft.testing.node_contract import NodeContract as NodeContract
    from weft.testing.node_harness import NodeRun as NodeRun
    from weft.testing.node_harness import run_node as run_node
    from weft.testing.provider_contract import ChatModelContract as ChatModelContract
    from weft.testing.recording import Recording as Recording
    from weft.testing.recording import read_recording as read_recording
    from weft.testing.recording import record_run as record_run
    from weft.testing.recording import write_recording as write_recording
    from weft.testing.replay import ReplayedTurn as ReplayedTurn
    from weft.testing.replay import replay_recording as replay_recording
    from weft.testing.suite import CaseResult as CaseResult
    from weft.testing.suite import Suite as Suite

_MODULES = {
    "Case": "case",
    "CaseFile": "case",
    "CaseResult": "suite",
    "ChatModelContract": "provider_contract",
    "Difference": "difference",
    "Expectation": "expectation",
    "Flow": "flow",
    "FlowRun": "flow",
    "Mock": "mock",
    "Mocks": "mock",
    "NodeContract": "node_contract",
    "NodeExpectation": "expectation",
    "NodeRun": "node_harness",
    "Recording": "recording",
    "ReplayedTurn": "replay",
    "Suite": "suite",
    "ask": "flow",
    "open_flow": "flow",
    "read_cases": "case",
    "read_recording": "recording",
    "record_run": "recording",
    "replay_recording": "replay",
    "run_node": "node_harness",
    "write_recording": "recording",
}

__all__ = [  # found by __getattr__
    "Case",
    "CaseFile",
    "CaseResult",
    "ChatModelContract",
    "Difference",
    "Expectation",
    "Flow",
    "FlowRun",
    "Mock",
    "Mocks",
    "NodeContract",
    "NodeExpectation",
    "NodeRun",
    "Recording",
    "ReplayedTurn",
    "Suite",
    "ask",
    "open_flow",
    "read_cases",
    "read_recording",
    "record_run",
    "replay_recording",
    "run_node",
    "write_recording",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"weft.testing.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'weft.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
