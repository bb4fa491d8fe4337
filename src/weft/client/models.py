"""The console's models and handles under the names by which other clients' documentation knows them.

::

    from weft.client.models import AgentConversation, WorkflowRun

Everything here is also in `weft.wire.console` or `weft.client`; this module is for programs that move.
"""

from __future__ import annotations

from weft import wire
from weft.client import AdvancedChatApp, AgentApp, App, Chat, ChatApp, CompletionApp, WorkflowApp

AgentConversation = wire.console.AgentConversation
AppToken = wire.console.AppToken
AppType = wire.console.AppMode
BaseModel = wire.console.BaseModel
ChatMessage = wire.console.ChatMessage
Graph = wire.console.Graph
GraphEdge = wire.console.GraphEdge
GraphEdgeData = wire.console.GraphEdgeData
GraphNode = wire.console.GraphNode
GraphNodeData = wire.console.GraphNodeData
GraphNodeDataTypes = wire.console.GraphNodeDataTypes
PaginatedAgentLogs = wire.console.PaginatedAgentLogs
PaginatedChatMessages = wire.console.PaginatedChatMessages
PaginatedResponse = wire.console.PaginatedResponse
PaginatedWorkflowLogs = wire.console.PaginatedWorkflowLogs
Viewport = wire.console.Viewport
WorkflowDraft = wire.console.WorkflowDraft
WorkflowLogEntry = wire.console.WorkflowLogEntry
WorkflowNodeExecution = wire.console.WorkflowNodeExecution
WorkflowNodeExecutionMetadata = wire.console.WorkflowNodeExecutionMetadata
WorkflowNodeExecutions = wire.console.WorkflowNodeExecutions
WorkflowRun = wire.console.WorkflowRun
WorkflowRunStatus = wire.console.WorkflowRunStatus
WorkflowStatus = wire.console.WorkflowStatus

__all__ = [
    "AdvancedChatApp",
    "AgentApp",
    "AgentConversation",
    "App",
    "AppToken",
    "AppType",
    "BaseModel",
    "Chat",
    "ChatApp",
    "ChatMessage",
    "CompletionApp",
    "Graph",
    "GraphEdge",
    "GraphEdgeData",
    "GraphNode",
    "GraphNodeData",
    "GraphNodeDataTypes",
    "PaginatedAgentLogs",
    "PaginatedChatMessages",
    "PaginatedResponse",
    "PaginatedWorkflowLogs",
    "Viewport",
    "WorkflowApp",
    "WorkflowDraft",
    "WorkflowLogEntry",
    "WorkflowNodeExecution",
    "WorkflowNodeExecutionMetadata",
    "WorkflowNodeExecutions",
    "WorkflowRun",
    "WorkflowRunStatus",
    "WorkflowStatus",
]
