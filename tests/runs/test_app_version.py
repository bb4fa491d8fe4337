from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.engine.harness import answer, llm, start
from tests.runs.house import version, write_app
from weft.errors import GraphError
from weft.runs import Catalog, UploadRules, app_version
from weft.store import Workflow
from weft.testing.clock import FrozenClock


@pytest.mark.parametrize(
    ("feature", "rules"),
    [
        pytest.param(None, UploadRules(allowed_types=("image",)), id="absent"),
        pytest.param("x", UploadRules(allowed_types=("image",)), id="nonsense"),
        pytest.param(
            {"image": {"enabled": True, "number_limits": 2, "transfer_methods": ["remote_url"]}},
            UploadRules(True, ("image",), (), ("remote_url",), 2),
            id="old-shape",
        ),
        pytest.param(
            {"image": {"enabled": False, "number_limits": 2}},
            UploadRules(False, ("image",), (), (), 2),
            id="old-shape-off",
        ),
        pytest.param(
            {
                "enabled": True,
                "allowed_file_types": ["document", 5],
                "allowed_file_extensions": [".PDF", "docx"],
                "allowed_file_upload_methods": ["local_file"],
                "number_limits": 5,
                "image": {"enabled": False, "number_limits": 1},
                "fileUploadConfig": {},
            },
            UploadRules(True, ("document",), (".pdf", ".docx"), ("local_file",), 5),
            id="new-shape",
        ),
        pytest.param({"enabled": False}, UploadRules(), id="new-shape-off"),
        pytest.param(
            {"enabled": True, "number_limits": 0, "allowed_file_types": None},
            UploadRules(enabled=True),
            id="no-number",
        ),
    ],
)
def test_upload_rules_are_read_in_both_shapes(feature: object, rules: UploadRules) -> None:
    assert UploadRules.parse(feature) == rules


def test_a_version_names_the_models_that_its_nodes_call_once_each() -> None:
    other: Any = {**llm(), "model": {"provider": "langgenius/openai/openai", "name": "b/c", "mode": "chat"}}
    made = version(
        "app",
        {"start": start(), "a": llm(), "b": other, "c": llm(), "d": answer("x")},
        "start > a > b > c > d",
    )
    assert made.models() == [("openai", "gpt"), ("langgenius/openai/openai", "b/c")]


@pytest.mark.parametrize(
    ("provider", "name"),
    [("openai", "gpt"), ("openrouter", "meta/llama"), ("org/plugin/name", "m"), ("org/plugin/name", "m/n/o")],
)
def test_slashes_in_names_do_not_lead_to_another_provider(provider: str, name: str) -> None:
    node: Any = {**llm(), "model": {"provider": provider, "name": name, "mode": "chat"}}
    assert version("app", {"start": start(), "a": node}, "start > a").models() == [(provider, name)]


def test_a_feature_that_is_not_there_is_empty() -> None:
    made = version("app", {"start": start()}, features={"speech_to_text": {"enabled": True}, "odd": 5})
    assert (made.feature("speech_to_text"), made.feature("odd"), made.feature("gone")) == (
        {"enabled": True},
        {},
        {},
    )


def workflow(folder: Path, id: str = "1", text: str = "Hi") -> Workflow:
    path = write_app(folder / "app.yml", {"start": start(), "a": answer(text)}, "start > a")
    now = FrozenClock().now()
    return Workflow(id, "app", "the version", path.read_text(), "hash", {}, now, now)


def test_a_version_is_compiled_once(tmp_path: Path) -> None:
    catalog, row = Catalog(), workflow(tmp_path)
    assert catalog.find("1") is None
    made = catalog.compile(row)
    assert (made.workflow_id, made.app_id, made.label, sorted(made.graph.nodes)) == (
        "1",
        "app",
        "the version",
        ["a", "start"],
    )
    assert catalog.compile(row) is catalog.find("1") is made


def test_a_version_that_this_program_cannot_run_is_refused_each_time(tmp_path: Path) -> None:
    catalog = Catalog()
    broken = msgspec.structs.replace(workflow(tmp_path), dsl="kind: app")
    for _ in range(2):
        with pytest.raises(GraphError):
            catalog.compile(broken)
    assert catalog.find("1") is None


def test_a_catalog_keeps_a_bounded_number_of_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_version, "_KEEP", 2)
    catalog = Catalog()
    for id in ("1", "2", "3"):
        catalog.compile(workflow(tmp_path, id))
    assert [id for id in ("1", "2", "3") if catalog.find(id) is not None] == ["2", "3"]
