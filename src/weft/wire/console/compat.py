"""Names that programs written for other clients know these models by."""

from __future__ import annotations

from warnings import warn

from weft.wire.console._base import ConsoleModel
from weft.wire.console.conversation import ChatConversation
from weft.wire.console.message import ChatMessagePage
from weft.wire.console.run import NodeExecution, NodeExecutionMetadata, NodeExecutions, WorkflowLogEntry
from weft.wire.page import Page
from weft.wire.status import RunStatus

BaseModel = ConsoleModel
PaginatedResponse = Page
PaginatedAgentLogs = Page[ChatConversation]
PaginatedChatMessages = ChatMessagePage
PaginatedWorkflowLogs = Page[WorkflowLogEntry]
WorkflowNodeExecution = NodeExecution
WorkflowNodeExecutionMetadata = NodeExecutionMetadata
WorkflowNodeExecutions = NodeExecutions
WorkflowRunStatus = RunStatus
GraphNodeDataTypes = str
"""Any node type; a fixed few of them were never enough for real graphs."""

_OF_OLD = {"completed": RunStatus.SUCCEEDED, "cancelled": RunStatus.STOPPED}


class WorkflowStatus:
    """Deprecated: `WorkflowRunStatus` with two names that no server sends.

    ``WorkflowStatus("completed")`` is ``succeeded`` and ``WorkflowStatus("cancelled")`` is ``stopped``.
    """

    RUNNING = RunStatus.RUNNING
    COMPLETED = RunStatus.SUCCEEDED
    FAILED = RunStatus.FAILED
    CANCELLED = RunStatus.STOPPED

    def __new__(cls, text: str) -> RunStatus:  # type: ignore[misc]  # looking up by value, like an enum
        """The status of that text."""
        warn("WorkflowStatus is deprecated; use WorkflowRunStatus", DeprecationWarning, stacklevel=2)
        return _OF_OLD.get(text) or RunStatus(text)
