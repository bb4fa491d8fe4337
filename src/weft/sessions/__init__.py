"""Workflow sessions: the runs of one workflow with one person, as plain data, and where they are kept.

`WorkflowSession` and what it holds need no server and no database. Stores, the interchange with Agno, and
sessions over a server's conversations are imported when they are first used::

    with open_session_store("sessions.db") as store:
        session = store.get_session("s1") or WorkflowSession("s1")
        session.upsert_run(WorkflowRunOutput("Hi", "Hello", run_id="r1", status=RunStatus.completed))
        store.upsert_session(session)

This room leaves running a workflow to others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from weft.sessions.change import SessionChange
from weft.sessions.executor_run import ExecutorRun, RunOutput, TeamRunOutput
from weft.sessions.history import history_context, history_pairs
from weft.sessions.message import Message
from weft.sessions.plain import Dumpable, JsonObject, Plain, plain
from weft.sessions.query import RunPage, SessionPage, SessionQuery, SessionSummary
from weft.sessions.remote_session import RemoteSession
from weft.sessions.requirement import ErrorRequirement, StepRequirement
from weft.sessions.session import WorkflowChatInteraction, WorkflowSession
from weft.sessions.status import RunStatus
from weft.sessions.step import StepOutput, StepType
from weft.sessions.transcript import get_messages_from_agent_runs, get_messages_from_team_runs
from weft.sessions.workflow_run import AnyRun, WorkflowRunOutput

if TYPE_CHECKING:
    from weft.sessions.agno import AgnoSessions, open_agno_sessions
    from weft.sessions.archive_reader import ArchiveReader
    from weft.sessions.archiving import ArchivedSession, archived_session, restore_session
    from weft.sessions.session_store import (
        AsyncSessionStore,
        SessionStore,
        open_async_session_store,
        open_session_store,
    )
    from weft.sessions.state_writing import change_session
    from weft.sessions.store_reader import StoreReader
    from weft.sessions.stored_session import StoredSession
    from weft.sessions.turn import SessionHead, SessionReader, Turn, TurnPage
    from weft.sessions.view import session_of, session_of_run

_LAZY = {
    "AgnoSessions": "agno",
    "ArchiveReader": "archive_reader",
    "ArchivedSession": "archiving",
    "AsyncSessionStore": "session_store",
    "SessionHead": "turn",
    "SessionReader": "turn",
    "SessionStore": "session_store",
    "StoreReader": "store_reader",
    "StoredSession": "stored_session",
    "Turn": "turn",
    "TurnPage": "turn",
    "archived_session": "archiving",
    "change_session": "state_writing",
    "open_agno_sessions": "agno",
    "open_async_session_store": "session_store",
    "open_session_store": "session_store",
    "restore_session": "archiving",
    "session_of": "view",
    "session_of_run": "view",
}
"""What knows a database, a server's records or an archive, by the module that has it."""

__all__ = [
    "AgnoSessions",
    "AnyRun",
    "ArchiveReader",
    "ArchivedSession",
    "AsyncSessionStore",
    "Dumpable",
    "ErrorRequirement",
    "ExecutorRun",
    "JsonObject",
    "Message",
    "Plain",
    "RemoteSession",
    "RunOutput",
    "RunPage",
    "RunStatus",
    "SessionChange",
    "SessionHead",
    "SessionPage",
    "SessionQuery",
    "SessionReader",
    "SessionStore",
    "SessionSummary",
    "StepOutput",
    "StepRequirement",
    "StepType",
    "StoreReader",
    "StoredSession",
    "TeamRunOutput",
    "Turn",
    "TurnPage",
    "WorkflowChatInteraction",
    "WorkflowRunOutput",
    "WorkflowSession",
    "archived_session",
    "change_session",
    "get_messages_from_agent_runs",
    "get_messages_from_team_runs",
    "history_context",
    "history_pairs",
    "open_agno_sessions",
    "open_async_session_store",
    "open_session_store",
    "plain",
    "restore_session",
    "session_of",
    "session_of_run",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(f"weft.sessions.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'weft.sessions' has no attribute {name!r}")
