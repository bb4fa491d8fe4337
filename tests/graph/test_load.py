from __future__ import annotations

import pytest

from tests.graph.apps import ANSWER, END, START, app_data, app_text, dump, edge, node
from weft.errors import GraphError, Problem
from weft.graph import AppFile, EdgeSpec, NodeSpec, load_app


def problems_of(text: str | bytes) -> list[Problem]:
    with pytest.raises(GraphError) as caught:
        load_app(text, source="app.yml")
    assert all(problem.severity == "error" for problem in caught.value.problems)
    assert all(problem.fix for problem in caught.value.problems)
    return list(caught.value.problems)


def found(text: str | bytes) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in problems_of(text)]


def warned(app: AppFile) -> list[tuple[str, str]]:
    assert all(warning.severity == "warning" for warning in app.warnings)
    return [(warning.code, warning.path) for warning in app.warnings]


def test_a_whole_file_becomes_one_typed_app() -> None:
    data = {
        "version": "0.5.0",
        "kind": "app",
        "app": {
            "mode": "advanced-chat",
            "name": "Guide",
            "description": "Shows the way",
            "icon": "🧭",
            "icon_type": "emoji",
            "icon_background": "#FFEAD5",
            "use_icon_as_answer_icon": True,
        },
        "dependencies": [
            {"type": "marketplace", "value": {"marketplace_plugin_unique_identifier": "a/b:1@c"}}
        ],
        "workflow": {
            "graph": {
                "nodes": [START, ANSWER],
                "edges": [edge("start > answer")],
                "viewport": {"zoom": 0.7},
            },
            "features": {"opening_statement": "Hello"},
            "environment_variables": [],
            "conversation_variables": [],
        },
    }
    graph = {
        "nodes": [START, ANSWER],
        "edges": [edge("start > answer")],
        "viewport": {"zoom": 0.7},
    }
    assert load_app(dump(data)) == AppFile(
        name="Guide",
        mode="advanced-chat",
        description="Shows the way",
        icon_type="emoji",
        icon="🧭",
        icon_background="#FFEAD5",
        use_icon_as_answer_icon=True,
        version="0.5.0",
        nodes=(
            NodeSpec(
                id="start",
                type="start",
                title="Start",
                version="1",
                data={
                    "type": "start",
                    "title": "Start",
                    "variables": [{"variable": "topic", "type": "text-input"}],
                },
                parent_id=None,
                path="workflow.graph.nodes[0]",
            ),
            NodeSpec(
                id="answer",
                type="answer",
                title="Answer",
                version="1",
                data={"type": "answer", "title": "Answer", "answer": "{{#start.topic#}}"},
                parent_id=None,
                path="workflow.graph.nodes[1]",
            ),
        ),
        edges=(EdgeSpec("start", "answer"),),
        features={"opening_statement": "Hello"},
        dependencies=({"type": "marketplace", "value": {"marketplace_plugin_unique_identifier": "a/b:1@c"}},),
        graph=graph,
    )


def test_bytes_are_as_good_as_text() -> None:
    assert load_app(app_text().encode()) == load_app(app_text())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: [", [("parse.invalid_yaml", "line 2, column 1")], id="dsl-1-broken"),
        pytest.param("- app\n", [("parse.expected_mapping", "")], id="dsl-1-list"),
        pytest.param("just text", [("parse.expected_mapping", "")], id="dsl-1-text"),
        pytest.param("", [("parse.expected_mapping", "")], id="dsl-1-empty"),
        pytest.param(
            "kind: app\nworkflow: {graph: {nodes: []}}",
            [("kind.missing_app", "app"), ("graph.invalid_nodes", "workflow.graph.nodes")],
            id="dsl-1-without-app",
        ),
        pytest.param(
            "app: {mode: chat, name: x}\nmodel_config: {}",
            [("plan.unsupported", "app.mode")],
            id="dsl-2-chat",
        ),
        pytest.param(
            "app: {mode: agent-chat}\nmodel_config: {}", [("plan.unsupported", "app.mode")], id="dsl-2-agent"
        ),
        pytest.param(
            "app: {mode: completion}\nmodel_config: {}", [("plan.unsupported", "app.mode")], id="dsl-2-text"
        ),
        pytest.param(
            "app: {mode: workflow, name: x}", [("graph.missing_workflow", "workflow")], id="dsl-2-no-workflow"
        ),
    ],
)
def test_a_file_that_is_no_app_with_a_graph_is_refused(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_apps_without_a_graph_are_told_so() -> None:
    (problem,) = problems_of("app: {mode: chat, name: x}\nmodel_config: {}")
    assert problem.message == "an app of mode 'chat' has no graph, so there is nothing to run"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": "rag_pipeline"}, [("kind.unsupported", "kind")]),
        ({"kind": ["app"]}, [("kind.unsupported", "kind")]),
        ({"app": None}, [("kind.missing_app", "app")]),
        ({"app": {}}, [("kind.missing_app", "app")]),
        ({"app": "x"}, [("kind.missing_app", "app")]),
        ({"app": {"name": "x"}}, [("plan.unsupported", "app.mode")]),
        ({"app": {"mode": "channel"}}, [("plan.unsupported", "app.mode")]),
        ({"app": {"mode": 3}}, [("plan.unsupported", "app.mode")]),
        ({"workflow": None}, [("graph.missing_workflow", "workflow")]),
        ({"workflow": {}}, [("graph.missing_workflow", "workflow")]),
        ({"workflow": []}, [("graph.missing_workflow", "workflow")]),
        ({"workflow": {"features": {}}}, [("graph.missing", "workflow.graph")]),
        ({"workflow": {"graph": []}}, [("graph.missing", "workflow.graph")]),
        ({"workflow": {"graph": {"edges": []}}}, [("graph.invalid_nodes", "workflow.graph.nodes")]),
        ({"workflow": {"graph": {"nodes": {}}}}, [("graph.invalid_nodes", "workflow.graph.nodes")]),
    ],
)
def test_missing_and_misshapen_blocks_are_refused(
    change: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert found(dump({**app_data(), **change})) == expected


@pytest.mark.parametrize(
    ("version", "read", "codes"),
    [
        pytest.param("0.3", "0.3", ["parse.invalid_version"], id="dsl-3-without-quotes"),
        pytest.param("1", "1", ["parse.invalid_version"], id="dsl-3-integer"),
        pytest.param("'0.3'", "0.3", ["parse.invalid_version"], id="dsl-3-no-semver"),
        pytest.param("'newest'", "newest", ["parse.invalid_version"], id="dsl-3-word"),
        pytest.param("[0, 3]", None, ["parse.invalid_version"], id="dsl-3-list"),
        pytest.param("null", None, [], id="dsl-3-null"),
        pytest.param("0.6.0", "0.6.0", [], id="dsl-4-newest-known"),
        pytest.param("0.6.1", "0.6.1", ["parse.newer_version"], id="dsl-4-newer"),
        pytest.param("0.10.0", "0.10.0", ["parse.newer_version"], id="dsl-4-newer-in-numbers"),
        pytest.param("1.0.0-rc1", "1.0.0-rc1", ["parse.newer_version"], id="dsl-4-next-major"),
        pytest.param("0.1.0", "0.1.0", [], id="dsl-4-older"),
    ],
)
def test_no_version_stops_an_app(version: str, read: str | None, codes: list[str]) -> None:
    app = load_app(app_text().replace("version: 0.5.0", f"version: {version}"))
    assert app.version == read
    assert warned(app) == [(code, "version") for code in codes]


def test_a_file_without_version_and_kind_is_one_of_the_oldest_dsl_3() -> None:
    data = app_data()
    del data["version"], data["kind"]
    app = load_app(dump(data))
    assert (app.version, app.warnings, len(app.nodes)) == (None, (), 2)


def test_a_newer_file_is_loaded_with_a_warning_dsl_4() -> None:
    (warning,) = load_app(app_text().replace("version: 0.5.0", "version: 0.7.0")).warnings
    assert warning.message == (
        "the file has version 0.7.0, newer than 0.6.0; what is new in it may be ignored"
    )


NOTE = {
    "id": "note",
    "type": "custom-note",
    "data": {"type": "", "title": "", "text": '{"root": {}}', "theme": "blue", "author": "me"},
}


def test_notes_are_dropped_before_anything_looks_at_them_dsl_5() -> None:
    app = load_app(app_text([NOTE, START, NOTE, END]))
    assert [(spec.id, spec.path) for spec in app.nodes] == [
        ("start", "workflow.graph.nodes[1]"),
        ("end", "workflow.graph.nodes[3]"),
    ]
    assert app.graph["nodes"] == [NOTE, START, NOTE, END]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([NOTE], "the app has no node, only notes"),
        ([], "the app has no node"),
    ],
    ids=["dsl-5-only-notes", "dsl-5-nothing"],
)
def test_an_app_needs_a_node(nodes: list[object], message: str) -> None:
    (problem,) = problems_of(app_text(nodes, []))
    assert (problem.code, problem.message) == ("graph.invalid_nodes", message)


def test_an_edge_to_a_note_is_ignored_with_a_warning() -> None:
    app = load_app(app_text([START, END, NOTE], ["start > end", "start > note"]))
    assert app.edges == (EdgeSpec("start", "end"),)
    assert warned(app) == [("graph.invalid_edge_endpoint", "workflow.graph.edges[1]")]


def test_node_ids_are_unique_dsl_6() -> None:
    (problem,) = problems_of(app_text([START, END, node("end", "end")]))
    assert problem == Problem(
        code="graph.duplicate_node_id",
        message="the node id 'end' is used by workflow.graph.nodes[1] already",
        path="workflow.graph.nodes[2].id",
        node_id="end",
        node_title="End",
        fix="give one of the two another id",
    )


def test_unknown_keys_are_accepted_on_every_level_dsl_8() -> None:
    text = dump(
        {
            **app_data(
                [node("start", "start", {"extra": 1}, extra=2, variables=[]), END],
                [edge("start > end", extra={"a": 1})],
                {
                    "features": {"extra": {"enabled": "perhaps"}},
                    "extra": [],
                    "environment_variables": [{"name": "a", "value_type": "string", "value": "", "extra": 1}],
                },
            ),
            "extra": None,
            "app": {"mode": "workflow", "name": "x", "extra": {}},
        }
    )
    app = load_app(text)
    assert app.nodes[0].data["extra"] == 2
    assert app.features == {"extra": {"enabled": "perhaps"}}
    assert app.warnings == ()


@pytest.mark.parametrize("provider", ["openai", "langgenius/openai/openai"])
def test_providers_stay_as_the_file_spells_them_dsl_11(provider: str) -> None:
    model = {"provider": provider, "name": "gpt-4o", "mode": "chat", "completion_params": {}}
    app = load_app(app_text([START, node("llm", "llm", model=model), END]))
    assert app.nodes[1].data["model"] == model


def test_everything_wrong_is_reported_at_once() -> None:
    text = dump(
        {
            "app": {"mode": "nonsense"},
            "workflow": {
                "graph": {
                    "nodes": [
                        "text",
                        {"data": {"type": "llm", "title": "No id"}},
                        {"id": 17, "data": {"type": "llm"}},
                        {"id": "", "data": {"type": "llm"}},
                        {"id": "a"},
                        {"id": "b", "data": []},
                        {"id": "c", "data": {"title": "No type"}},
                        {"id": "d", "data": {"type": ""}},
                        {"id": "e", "data": {"type": 3}},
                        START,
                        START,
                    ],
                    "edges": ["text"],
                },
                "features": [],
                "environment_variables": {},
                "conversation_variables": ["text"],
            },
        }
    )
    nodes = "workflow.graph.nodes"
    assert found(text) == [
        ("plan.unsupported", "app.mode"),
        ("graph.invalid_node", f"{nodes}[0]"),
        ("graph.invalid_node_id", f"{nodes}[1].id"),
        ("graph.invalid_node_id", f"{nodes}[2].id"),
        ("graph.invalid_node_id", f"{nodes}[3].id"),
        ("graph.invalid_node", f"{nodes}[4].data"),
        ("graph.invalid_node", f"{nodes}[5].data"),
        ("graph.invalid_node_type", f"{nodes}[6].data.type"),
        ("graph.invalid_node_type", f"{nodes}[7].data.type"),
        ("graph.invalid_node_type", f"{nodes}[8].data.type"),
        ("graph.duplicate_node_id", f"{nodes}[10].id"),
        ("graph.invalid_edge", "workflow.graph.edges[0]"),
        ("graph.invalid_features", "workflow.features"),
        ("runtime_variables.invalid", "workflow.environment_variables"),
        ("runtime_variables.invalid_item", "workflow.conversation_variables[0]"),
    ]


def test_an_id_without_quotes_is_told_to_get_them() -> None:
    (problem,) = problems_of(app_text([{"id": 1713262577750, "data": {"type": "start"}}], []))
    assert problem.fix == 'put it in quotes: id: "1713262577750"'


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({}, ("Untitled", "", "emoji", "", "#FFFFFF", False)),
        (
            {
                "name": None,
                "description": None,
                "icon_type": "photo",
                "icon": None,
                "icon_background": None,
                "use_icon_as_answer_icon": "yes",
            },
            ("Untitled", "", "emoji", "", "#FFFFFF", False),
        ),
        (
            {
                "name": 42,
                "description": ["x"],
                "icon_type": "image",
                "icon": "abc",
                "icon_background": "#000",
                "use_icon_as_answer_icon": True,
            },
            ("42", "", "image", "abc", "#000", True),
        ),
    ],
    ids=["absent", "null", "of other types"],
)
def test_how_the_app_looks_never_stops_it(details: dict[str, object], expected: tuple[object, ...]) -> None:
    app = load_app(dump({**app_data(), "app": {"mode": "workflow", **details}}))
    assert (
        app.name,
        app.description,
        app.icon_type,
        app.icon,
        app.icon_background,
        app.use_icon_as_answer_icon,
    ) == expected


@pytest.mark.parametrize(
    ("value", "read", "warnings"),
    [
        (None, (), []),
        ([], (), []),
        ([{"type": "package"}], ({"type": "package"},), []),
        ([{"type": "package"}, "x"], ({"type": "package"},), [("dependency.invalid", "dependencies")]),
        ({"type": "package"}, (), [("dependency.invalid", "dependencies")]),
    ],
)
def test_dependencies_are_only_reported(
    value: object, read: tuple[object, ...], warnings: list[tuple[str, str]]
) -> None:
    app = load_app(dump({**app_data(), "dependencies": value}))
    assert (app.dependencies, warned(app)) == (read, warnings)


def test_dates_in_node_data_are_texts() -> None:
    text = app_text([START, node("llm", "llm", when="DATE"), END]).replace("DATE", "2024-05-06")
    assert load_app(text).nodes[1].data["when"] == "2024-05-06"


def test_what_looks_odd_in_the_yaml_is_among_the_warnings() -> None:
    app = load_app(app_text() + "kind: app\n")
    assert warned(app) == [("parse.duplicate_key", "kind")]


def test_the_source_is_named_in_messages_about_the_text() -> None:
    (problem,) = problems_of("[]")
    assert problem.message == "app.yml must hold a mapping, but holds a list"
