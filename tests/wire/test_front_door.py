from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from weft import wire
from weft.wire import console

ROOMS = [wire, console]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_the_names_for_type_checkers_are_the_names_at_run_time(room: ModuleType) -> None:
    tree = ast.parse(Path(str(room.__file__)).read_text("utf-8"))
    declared = {
        (node.module.removeprefix(f"{room.__name__}."), alias.name)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module != room.__name__
        for alias in node.names
    }
    assert {(module, name) for name, module in room._HOMES.items()} == declared
    assert all(hasattr(room, name) for name in room.__all__)
    assert set(room.__all__) <= set(dir(room))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_a_name_that_does_not_exist_is_an_attribute_error(room: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = room.Nothing


def test_importing_the_room_imports_no_model() -> None:
    code = (
        "import sys, weft.wire;"
        "print(sorted(m for m in sys.modules if m.startswith(('weft.wire.', 'pydantic'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_models_of_the_console_are_reached_without_importing_them() -> None:
    code = "import sys; from weft import wire; wire.console; print('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "False"
