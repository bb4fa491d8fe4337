"""The console API's models: signing in, apps, drafts, logs, runs, statistics.

A name is imported when it is first used, as in `weft.wire`. Some models have a second name, by which
programs written for other clients know them; `compat` holds these.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.wire.console._base import ConsoleModel as ConsoleModel
    from weft.wire.console._base import MappingModel as MappingModel
    from weft.wire.console._base import SparseConsoleModel as SparseConsoleModel
    from weft.wire.console.account import Account as Account
    from weft.wire.console.account import LoginAnswer as LoginAnswer
    from weft.wire.console.account import LoginRequest as LoginRequest
    from weft.wire.console.account import LoginTokens as LoginTokens
    from weft.wire.console.account import SetupStatus as SetupStatus
    from weft.wire.console.account import TimezoneRequest as TimezoneRequest
    from weft.wire.console.app import ApiSwitchRequest as ApiSwitchRequest
    from weft.wire.console.app import AppCopyRequest as AppCopyRequest
    from weft.wire.console.app import AppCreateRequest as AppCreateRequest
    from weft.wire.console.app import AppDetail as AppDetail
    from weft.wire.console.app import AppExport as AppExport
    from weft.wire.console.app import AppImport as AppImport
    from weft.wire.console.app import AppImportRequest as AppImportRequest
    from weft.wire.console.app import AppMode as AppMode
    from weft.wire.console.app import AppPage as AppPage
    from weft.wire.console.app import AppSummary as AppSummary
    from weft.wire.console.app import AppToken as AppToken
    from weft.wire.console.app import AppTokenList as AppTokenList
    from weft.wire.console.app import AppUpdateRequest as AppUpdateRequest
    from weft.wire.console.compat import BaseModel as BaseModel
    from weft.wire.console.compat import GraphNodeDataTypes as GraphNodeDataTypes
    from weft.wire.console.compat import PaginatedAgentLogs as PaginatedAgentLogs
    from weft.wire.console.compat import PaginatedChatMessages as PaginatedChatMessages
    from weft.wire.console.compat import PaginatedResponse as PaginatedResponse
    from weft.wire.console.compat import PaginatedWorkflowLogs as PaginatedWorkflowLogs
    from weft.wire.console.compat import WorkflowNodeExecution as WorkflowNodeExecution
    from weft.wire.console.compat import WorkflowNodeExecutionMetadata as WorkflowNodeExecutionMetadata
    from weft.wire.console.compat import WorkflowNodeExecutions as WorkflowNodeExecutions
    from weft.wire.console.compat import WorkflowRunStatus as WorkflowRunStatus
    from weft.wire.console.compat import WorkflowStatus as WorkflowStatus
    from weft.wire.console.conversation import AgentConversation as AgentConversation
    from weft.wire.console.conversation import AnnotationStatus as AnnotationStatus
    from weft.wire.console.conversation import ChatConversation as ChatConversation
    from weft.wire.console.conversation import ChatConversationDetail as ChatConversationDetail
    from weft.wire.console.conversation import ChatConversationPage as ChatConversationPage
    from weft.wire.console.conversation import CompletionConversation as CompletionConversation
    from weft.wire.console.conversation import CompletionConversationPage as CompletionConversationPage
    from weft.wire.console.conversation import FeedbackStats as FeedbackStats
    from weft.wire.console.conversation import ModelConfigSummary as ModelConfigSummary
    from weft.wire.console.conversation import StatusCount as StatusCount
    from weft.wire.console.draft import DraftRequest as DraftRequest
    from weft.wire.console.draft import DraftSaved as DraftSaved
    from weft.wire.console.draft import Graph as Graph
    from weft.wire.console.draft import GraphEdge as GraphEdge
    from weft.wire.console.draft import GraphEdgeData as GraphEdgeData
    from weft.wire.console.draft import GraphNode as GraphNode
    from weft.wire.console.draft import GraphNodeData as GraphNodeData
    from weft.wire.console.draft import Published as Published
    from weft.wire.console.draft import PublishRequest as PublishRequest
    from weft.wire.console.draft import Viewport as Viewport
    from weft.wire.console.draft import WorkflowDraft as WorkflowDraft
    from weft.wire.console.draft import WorkflowVersionPage as WorkflowVersionPage
    from weft.wire.console.feedback import AdminFeedbackRequest as AdminFeedbackRequest
    from weft.wire.console.feedback import AgentLog as AgentLog
    from weft.wire.console.feedback import AgentLogIteration as AgentLogIteration
    from weft.wire.console.feedback import AnnotationCount as AnnotationCount
    from weft.wire.console.feedback import FeedbackExport as FeedbackExport
    from weft.wire.console.feedback import FeedbackRow as FeedbackRow
    from weft.wire.console.feedback import FeedbackSource as FeedbackSource
    from weft.wire.console.feedback import SuggestedQuestionList as SuggestedQuestionList
    from weft.wire.console.message import ChatMessage as ChatMessage
    from weft.wire.console.message import ChatMessageFeedback as ChatMessageFeedback
    from weft.wire.console.message import ChatMessagePage as ChatMessagePage
    from weft.wire.console.run import NodeExecution as NodeExecution
    from weft.wire.console.run import NodeExecutionMetadata as NodeExecutionMetadata
    from weft.wire.console.run import NodeExecutions as NodeExecutions
    from weft.wire.console.run import WorkflowLogEntry as WorkflowLogEntry
    from weft.wire.console.run import WorkflowLogEntryPage as WorkflowLogEntryPage
    from weft.wire.console.run import WorkflowRun as WorkflowRun
    from weft.wire.console.run import WorkflowRunCount as WorkflowRunCount
    from weft.wire.console.run import WorkflowRunDetail as WorkflowRunDetail
    from weft.wire.console.run import WorkflowRunPage as WorkflowRunPage
    from weft.wire.console.statistic import AverageAppInteractions as AverageAppInteractions
    from weft.wire.console.statistic import AverageResponseTime as AverageResponseTime
    from weft.wire.console.statistic import AverageSessionInteractions as AverageSessionInteractions
    from weft.wire.console.statistic import DailyConversations as DailyConversations
    from weft.wire.console.statistic import DailyEndUsers as DailyEndUsers
    from weft.wire.console.statistic import DailyMessages as DailyMessages
    from weft.wire.console.statistic import DailyRuns as DailyRuns
    from weft.wire.console.statistic import StatisticRow as StatisticRow
    from weft.wire.console.statistic import Statistics as Statistics
    from weft.wire.console.statistic import TokenCosts as TokenCosts
    from weft.wire.console.statistic import TokensPerSecond as TokensPerSecond
    from weft.wire.console.statistic import UserSatisfactionRate as UserSatisfactionRate

_NAMES = {
    "_base": "ConsoleModel MappingModel SparseConsoleModel",
    "account": "Account LoginAnswer LoginRequest LoginTokens SetupStatus TimezoneRequest",
    "app": """
        ApiSwitchRequest AppCopyRequest AppCreateRequest AppDetail AppExport AppImport AppImportRequest
        AppMode AppPage AppSummary AppToken AppTokenList AppUpdateRequest
    """,
    "compat": """
        BaseModel GraphNodeDataTypes PaginatedAgentLogs PaginatedChatMessages PaginatedResponse
        PaginatedWorkflowLogs WorkflowNodeExecution WorkflowNodeExecutionMetadata WorkflowNodeExecutions
        WorkflowRunStatus WorkflowStatus
    """,
    "conversation": """
        AgentConversation AnnotationStatus ChatConversation ChatConversationDetail ChatConversationPage
        CompletionConversation CompletionConversationPage FeedbackStats ModelConfigSummary StatusCount
    """,
    "draft": """
        DraftRequest DraftSaved Graph GraphEdge GraphEdgeData GraphNode GraphNodeData Published
        PublishRequest Viewport WorkflowDraft WorkflowVersionPage
    """,
    "feedback": """
        AdminFeedbackRequest AgentLog AgentLogIteration AnnotationCount FeedbackExport FeedbackRow
        FeedbackSource SuggestedQuestionList
    """,
    "message": "ChatMessage ChatMessageFeedback ChatMessagePage",
    "run": """
        NodeExecution NodeExecutionMetadata NodeExecutions WorkflowLogEntry WorkflowLogEntryPage WorkflowRun
        WorkflowRunCount WorkflowRunDetail WorkflowRunPage
    """,
    "statistic": """
        AverageAppInteractions AverageResponseTime AverageSessionInteractions DailyConversations
        DailyEndUsers DailyMessages DailyRuns StatisticRow Statistics TokenCosts TokensPerSecond
        UserSatisfactionRate
    """,
}
"""Public names by the module they live in."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOMES)  # the same names as the imports above, a test compares them


if not TYPE_CHECKING:  # a type checker would take it for leave to use any name

    def __getattr__(name: str) -> object:
        module = _HOMES.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
