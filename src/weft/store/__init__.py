"""The server's records: apps, keys, people, conversations, messages and runs, on SQLite or Postgres.

`open_store` gives a `Store`; its doors `read`, `read_quick` and `write` take a function of a
connection, and the modules here are full of such functions, grouped by noun::

    async with open_store("sqlite:///weft.db", clock=SystemClock()) as store:
        app = await store.read(lambda connection: apps.find(connection, app_id))

This room leaves to others: what the records mean, who may see them, and the files themselves.
"""

from __future__ import annotations

from sqlalchemy import Connection

from weft.store import (
    accounts,
    apps,
    conversation_variables,
    conversations,
    end_users,
    keys,
    logs,
    messages,
    node_executions,
    processes,
    runs,
    workflows,
    workspaces,
)
from weft.store.conversations import SortBy
from weft.store.logs import LogEntry, LogFilter, LogPage
from weft.store.opening import migrate, open_store
from weft.store.records import (
    NO_PRICE,
    Account,
    AccountRole,
    AccountStatus,
    ApiToken,
    App,
    AppMode,
    AppStatus,
    BelongsTo,
    Conversation,
    ConversationStatus,
    ConversationVariable,
    CreatedByRole,
    CreatedFrom,
    EndUser,
    EndUserType,
    FileType,
    FromSource,
    InvokeFrom,
    JsonObject,
    Message,
    MessageFile,
    MessageStatus,
    NodeExecution,
    NodeStatus,
    Page,
    Process,
    Record,
    Run,
    RunStatus,
    TokenKind,
    TransferMethod,
    TriggeredFrom,
    Workflow,
    Workspace,
    WorkspaceStatus,
)
from weft.store.store import Store
from weft.store.workflows import Imported

__all__ = [
    "NO_PRICE",
    "Account",
    "AccountRole",
    "AccountStatus",
    "ApiToken",
    "App",
    "AppMode",
    "AppStatus",
    "BelongsTo",
    "Connection",
    "Conversation",
    "ConversationStatus",
    "ConversationVariable",
    "CreatedByRole",
    "CreatedFrom",
    "EndUser",
    "EndUserType",
    "FileType",
    "FromSource",
    "Imported",
    "InvokeFrom",
    "JsonObject",
    "LogEntry",
    "LogFilter",
    "LogPage",
    "Message",
    "MessageFile",
    "MessageStatus",
    "NodeExecution",
    "NodeStatus",
    "Page",
    "Process",
    "Record",
    "Run",
    "RunStatus",
    "SortBy",
    "Store",
    "TokenKind",
    "TransferMethod",
    "TriggeredFrom",
    "Workflow",
    "Workspace",
    "WorkspaceStatus",
    "accounts",
    "apps",
    "conversation_variables",
    "conversations",
    "end_users",
    "keys",
    "logs",
    "messages",
    "migrate",
    "node_executions",
    "open_store",
    "processes",
    "runs",
    "workflows",
    "workspaces",
]
