from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from weft import wire


def test_the_names_for_type_checkers_are_the_names_at_run_time() -> None:
    tree = ast.parse(Path(str(wire.__file__)).read_text("utf-8"))
    declared = {
        (node.module.removeprefix("weft.wire."), alias.name)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert {(module, name) for name, module in wire._HOMES.items()} == declared
    assert all(hasattr(wire, name) for name in wire.__all__)
    assert set(wire.__all__) <= set(dir(wire))


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = wire.Nothing  # type: ignore[attr-defined]  # what the test is about


def test_importing_the_room_imports_no_model() -> None:
    code = (
        "import sys, weft.wire;"
        "print(sorted(m for m in sys.modules if m.startswith(('weft.wire.', 'pydantic'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
