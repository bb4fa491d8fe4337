"""A published version, compiled: what every run of it shares."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from weft.graph import AppFile, Graph, NodeBuilder, compile_graph, load_app
from weft.nodes import Node, StartNode, build_node
from weft.runs.history import told_histories
from weft.runs.moderation import ModerationRules
from weft.store import Workflow

BuildNode: TypeAlias = NodeBuilder[Node[Any]]

_KEEP = 256
"""Versions kept compiled at the same time; an app rarely has more than one in use."""


@dataclass(frozen=True, slots=True)
class UploadRules:
    """Which files a message may bring.

    Source: Dify app DSL, `features.file_upload` in its old and its new shape.
    """

    enabled: bool = False
    allowed_types: tuple[str, ...] = ()
    allowed_extensions: tuple[str, ...] = ()
    """With their dots, lower case."""
    allowed_methods: tuple[str, ...] = ()
    number_limits: int = 3

    @classmethod
    def parse(cls, feature: object) -> UploadRules:
        """Read the feature as files have it; anything that is not there is off."""
        rules = feature if isinstance(feature, Mapping) else {}
        image = rules.get("image")
        image = image if isinstance(image, Mapping) else {}
        if "enabled" not in rules:
            return cls(
                enabled=bool(image.get("enabled")),
                allowed_types=("image",),
                allowed_methods=_texts(image.get("transfer_methods")),
                number_limits=_count(image.get("number_limits")),
            )
        return cls(
            enabled=bool(rules.get("enabled")),
            allowed_types=_texts(rules.get("allowed_file_types")),
            allowed_extensions=tuple(
                "." + extension.lower().lstrip(".")
                for extension in _texts(rules.get("allowed_file_extensions"))
            ),
            allowed_methods=_texts(rules.get("allowed_file_upload_methods")),
            number_limits=_count(rules.get("number_limits")),
        )


@dataclass(frozen=True, slots=True)
class AppVersion:
    """One version of an app, ready to run."""

    workflow_id: str
    app_id: str
    label: str
    file: AppFile
    graph: Graph[Node[Any]]
    uploads: UploadRules = field(default_factory=UploadRules)
    histories: Mapping[str, int] = field(default_factory=dict)
    """System variables that tell of earlier runs, by name with how many; only those that a node looks at."""
    moderation: ModerationRules | None = None
    """What its questions and answers must not say; ``None`` where anything may be said."""

    @property
    def start(self) -> StartNode:
        """The node that says what the app asks for."""
        node = self.graph.root.start.behaviour
        if not isinstance(node, StartNode):
            raise TypeError(f"app {self.app_id} begins with a {node.type} node")
        return node

    def feature(self, name: str) -> Mapping[str, object]:
        """A feature's settings; empty where the file has none."""
        feature = self.file.features.get(name)
        return feature if isinstance(feature, Mapping) else {}

    def models(self) -> list[tuple[str, str]]:
        """Provider and name of the models that the app's nodes call, in order, each once."""
        needs = (
            _provider_and_model(need.name)
            for node in self.graph.nodes.values()
            for need in node.behaviour.needs()
            if need.kind == "model"
        )
        return list(dict.fromkeys(needs))


class Catalog:
    """Compiled versions, each made once.

    Args:
        build: Makes a node of its specification; tests put stand-ins there.
    """

    def __init__(self, build: BuildNode = build_node) -> None:
        self._build = build
        self._versions: OrderedDict[str, AppVersion] = OrderedDict()

    def find(self, workflow_id: str) -> AppVersion | None:
        """The version, if it has been compiled before."""
        return self._versions.get(workflow_id)

    def compile(self, workflow: Workflow) -> AppVersion:
        """The version that a stored workflow describes.

        Raises:
            GraphError: It was published by a program that could run more than this one.
        """
        found = self._versions.get(workflow.id)
        if found is None:
            file = load_app(workflow.dsl)
            graph = compile_graph(file, self._build)
            found = AppVersion(
                workflow_id=workflow.id,
                app_id=workflow.app_id,
                label=workflow.version,
                file=file,
                graph=graph,
                uploads=UploadRules.parse(file.features.get("file_upload")),
                histories=told_histories(graph),
                moderation=_moderation(file.features.get("sensitive_word_avoidance")),
            )
            self._versions[workflow.id] = found
            if len(self._versions) > _KEEP:
                self._versions.popitem(last=False)
        return found


def _moderation(feature: object) -> ModerationRules | None:
    return ModerationRules.parse(feature) if isinstance(feature, Mapping) else None


def _provider_and_model(need: str) -> tuple[str, str]:
    """Take apart ``provider/model``, where a provider is one word or three, and a model any number."""
    parts = need.split("/")
    words = 3 if len(parts) > 3 else 1
    return "/".join(parts[:words]), "/".join(parts[words:])


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 3
