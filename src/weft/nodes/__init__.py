"""Node types, one module each: a configuration model and what the node does.

A node talks to its run through its context and to nothing else: it knows neither the engine that runs it nor
the server around that.
"""

from __future__ import annotations

from typing import Any

from weft.errors import Problem, UnsupportedNodeError
from weft.graph import NodeSpec
from weft.nodes.config import NodeConfig
from weft.nodes.context import (
    Context,
    Forms,
    FrameResult,
    History,
    NodeResult,
    NoForms,
    NoHistory,
    Port,
    Resumption,
    RunInfo,
    Services,
    Turn,
    Wait,
)
from weft.nodes.human_input import render_submission
from weft.nodes.kept_file import (
    FileContent,
    FileUser,
    KeptFileError,
    KeptFiles,
    NewFile,
    NoFiles,
    is_kept,
    made_name,
)
from weft.nodes.limits import Limits
from weft.nodes.node import Node
from weft.nodes.start import MakeFile, StartNode, StartVariable
from weft.nodes.trigger import TRIGGERS, TriggerNode
from weft.registry import Registry

NODE_TYPES: Registry[type[Node[Any]]] = Registry(
    "node type",
    "weft.nodes",
    {
        "agent": "weft.nodes.agent:AgentNode",
        "answer": "weft.nodes.answer:AnswerNode",
        "assigner": "weft.nodes.assigner:AssignerNode",
        "code": "weft.nodes.code:CodeNode",
        "document-extractor": "weft.nodes.document_extractor:DocumentExtractorNode",
        "end": "weft.nodes.end:EndNode",
        "http-request": "weft.nodes.http_request:HttpRequestNode",
        "human-input": "weft.nodes.human_input:HumanInputNode",
        "if-else": "weft.nodes.if_else:IfElseNode",
        "iteration": "weft.nodes.iteration:IterationNode",
        "iteration-start": "weft.nodes.frame_start:FrameStartNode",
        "knowledge-retrieval": "weft.nodes.knowledge_retrieval:KnowledgeRetrievalNode",
        "list-operator": "weft.nodes.list_operator:ListOperatorNode",
        "llm": "weft.nodes.llm:LlmNode",
        "loop": "weft.nodes.loop:LoopNode",
        "loop-end": "weft.nodes.loop_end:LoopEndNode",
        "loop-start": "weft.nodes.frame_start:FrameStartNode",
        "parameter-extractor": "weft.nodes.parameter_extractor:ParameterExtractorNode",
        "question-classifier": "weft.nodes.question_classifier:QuestionClassifierNode",
        "start": "weft.nodes.start:StartNode",
        "template-transform": "weft.nodes.template_transform:TemplateTransformNode",
        "tool": "weft.nodes.tool:ToolNode",
        "variable-aggregator": "weft.nodes.variable_aggregator:VariableAggregatorNode",
        "variable-assigner": "weft.nodes.variable_aggregator:VariableAggregatorNode",
    },
)


_PIPELINE_TYPES = frozenset({"datasource", "datasource-empty", "knowledge-index"})


def build_node(spec: NodeSpec) -> Node[Any]:
    """Make the node that a specification describes.

    Raises:
        UnsupportedNodeError: Neither Weft nor an installed plugin has that type.
        GraphError: The configuration is wrong; every problem of it.
    """
    if spec.type in TRIGGERS and spec.type not in NODE_TYPES:
        return TriggerNode.build(spec)
    if spec.type in _PIPELINE_TYPES:
        raise UnsupportedNodeError(
            [
                Problem(
                    code="node.unsupported_type",
                    path=f"{spec.path}.data.type",
                    node_id=spec.id,
                    node_title=spec.title,
                    message=f"node {spec.id!r} ({spec.title or 'untitled'}) is of type {spec.type!r}, "
                    "a part of knowledge pipelines; Weft runs chatflows and workflows",
                    fix="remove the node, and let a knowledge-retrieval node search what is indexed",
                )
            ]
        )
    if spec.type not in NODE_TYPES:
        raise UnsupportedNodeError(
            [
                Problem(
                    code="node.unsupported_type",
                    path=f"{spec.path}.data.type",
                    node_id=spec.id,
                    node_title=spec.title,
                    message=f"node {spec.id!r} ({spec.title or 'untitled'}) is of type {spec.type!r}, "
                    "which this version cannot run",
                    fix=f"remove the node, or install a plugin that provides it; "
                    f"known types: {', '.join(NODE_TYPES.names())}",
                )
            ]
        )
    return NODE_TYPES.get(spec.type).build(spec)


__all__ = [
    "NODE_TYPES",
    "Context",
    "FileContent",
    "FileUser",
    "Forms",
    "FrameResult",
    "History",
    "KeptFileError",
    "KeptFiles",
    "Limits",
    "MakeFile",
    "NewFile",
    "NoFiles",
    "NoForms",
    "NoHistory",
    "Node",
    "NodeConfig",
    "NodeResult",
    "Port",
    "Resumption",
    "RunInfo",
    "Services",
    "StartNode",
    "StartVariable",
    "Turn",
    "Wait",
    "build_node",
    "is_kept",
    "made_name",
    "render_submission",
]
