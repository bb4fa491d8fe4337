from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import weft
from scripts import reference
from tests.docs.page import DOCS, ROOT, read_page
from weft.cli.commands import _build
from weft.nodes import NODE_TYPES
from weft.runs.ending import error_code
from weft.server import errors
from weft.settings import reference as settings_reference

SOURCE = ROOT / "src/weft"
REFERENCE = DOCS / "reference"
OLD_NAMES = {"variable-assigner"}
STARTS = {"iteration-start", "loop-start", "loop-end"}
"""Parts of containers."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def table_rows(path: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    _, _, rest = text_of(path).partition(f"\n## {heading}\n")
    lines = rest.splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def calls(folder: Path) -> Iterator[ast.Call]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Call):
                yield node


def name_of(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def test_the_generated_parts_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    code = reference.run(check=True)
    assert (code, capsys.readouterr().out) == (0, "")


def test_every_public_name_of_the_package_has_its_place() -> None:
    told = text_of(REFERENCE / "errors.md") + text_of(REFERENCE / "python.md")
    names = {name for name in dir(weft) if not name.startswith("_") and hasattr(weft, name)}
    public = {name for name in names if name[0].isupper()} - {"TYPE_CHECKING"}
    assert {"Client", "AsyncClient", "WeftError", "Problem"} <= public
    assert [name for name in sorted(public) if not re.search(rf"\b{name}\b", told)] == []


def test_every_setting_is_described() -> None:
    told = text_of(REFERENCE / "settings.md")
    names = [
        word
        for info in settings_reference()
        for word in (info.name, info.option, info.variable, *info.synonyms)
        if word is not None
    ]
    assert [name for name in names if f"`{name}`" not in told] == []


def test_every_command_has_its_section() -> None:
    commands = {name for name in _build() if not name.startswith("-")}
    sections = re.findall(r"^## weft (\w+)$", text_of(REFERENCE / "commands.md"), re.MULTILINE)
    assert set(sections) == commands


def test_every_node_type_has_its_section_and_an_example() -> None:
    told = text_of(REFERENCE / "nodes.md")
    sections = re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", told, re.MULTILINE | re.DOTALL)
    assert {name for name, _ in sections} == set(NODE_TYPES.names())
    without = [name for name, text in sections if "Examples: [" not in text]
    assert set(without) == OLD_NAMES


def test_every_code_of_the_api_is_in_the_list_of_errors() -> None:
    codes = {code for _, code in errors._TABLE.values()} | {errors.INTERNAL[1], *errors._CODES.values()}
    for call in calls(SOURCE / "server"):
        if name_of(call) == "ApiError" and len(call.args) > 1:
            codes |= {
                node.value
                for node in ast.walk(call.args[1])
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    codes -= {"human_input_form_"}  # put together with what has become of the form
    codes |= set(re.findall(r'"(not_[a-z]+_app)"', text_of(SOURCE / "server/call.py")))
    told = text_of(REFERENCE / "errors.md")
    assert {"bad_request", "not_chat_app", "unsupported_media_type", "too_many_requests"} <= codes
    assert [code for code in sorted(codes) if f"`{code}`" not in told] == []


def test_the_codes_of_runs_that_a_model_service_ended_are_told() -> None:
    told = text_of(DOCS / "compatibility.md")
    failures = [
        weft.CredentialsError(""),
        weft.QuotaExceededError(""),
        weft.RateLimitedError(""),
        weft.UnsupportedModelError(""),
        weft.ProviderError(""),
    ]
    codes = [error_code(failure) for failure in failures]
    assert len(set(codes)) == 5
    assert [code for code in codes if f"`{code}`" not in told] == []


def test_every_problem_of_a_file_is_listed_with_its_kind() -> None:
    kinds: dict[str, set[str]] = {}

    def add(code: object, kind: str) -> None:
        if isinstance(code, ast.Constant) and isinstance(code.value, str) and "." in code.value:
            kinds.setdefault(code.value, set()).add(kind)

    for call in [*calls(SOURCE / "graph"), *calls(SOURCE / "nodes")]:
        if name_of(call) in ("warn", "_warn") and call.args:
            add(call.args[0], "warning")
        elif name_of(call) in ("error", "_failure", "Refused", "_refuse") and call.args:
            add(call.args[0], "error")
        elif name_of(call) == "Problem":
            add(next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None), "error")
    listed = {
        cells[0].strip("`"): {"error", "warning"} if cells[1] == "both" else {cells[1]}
        for cells in table_rows(REFERENCE / "errors.md", "Problems of a file")
    }
    assert len(kinds) > 30
    assert {code: listed.get(code) for code in kinds} == kinds
    # Codes that are put together, or given to a helper, cannot be found this way.
    written = "\n".join(text_of(path) for path in SOURCE.rglob("*.py"))
    others = set(listed) - set(kinds) - {"graph.no_answer", "graph.no_end"}
    assert [code for code in sorted(others) if f'"{code}"' not in written] == []


def test_every_event_is_in_the_reference() -> None:
    told = text_of(REFERENCE / "events.md")
    named = set(re.findall(r'_event\(\s*f?"([a-z_{}.]+)"', text_of(SOURCE / "server/sse.py")))
    sent = {name.replace("{event.kind}", "loop") for name in named}
    assert {"message_replace", "node_retry", "loop_next"} <= sent
    assert [name for name in sorted(sent) if f"`{name}`" not in told] == []


def test_reference_pages_have_no_heading_twice() -> None:
    for path in REFERENCE.glob("*.md"):
        headings = re.findall(r"^#{1,6} .*$", read_page(path).prose, re.MULTILINE)
        assert len(headings) == len(set(headings)), path.name
