from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from weft import client

HEAVY = {"pydantic", "httpx2", "msgspec", "asyncio", "ssl", "pyarrow", "pandas"}


@pytest.mark.parametrize(
    "statement",
    ["import weft.client", "from weft import AsyncClient, AsyncConsoleClient, Client, ConsoleClient"],
)
def test_importing_the_clients_imports_neither_models_nor_the_http_library(statement: str) -> None:
    code = f"import sys; {statement}; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "set()"


def test_the_names_for_type_checkers_are_the_names_at_run_time() -> None:
    tree = ast.parse(Path(str(client.__file__)).read_text("utf-8"))
    declared = {
        (node.module.removeprefix("weft.client."), alias.name)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert {(module, name) for name, module in client._HOMES.items()} == declared
    assert all(hasattr(client, name) for name in client.__all__)
    assert set(client.__all__) <= set(dir(client))


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = client.Nothing  # type: ignore[attr-defined]  # what the test is about
