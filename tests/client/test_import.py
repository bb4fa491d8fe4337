from __future__ import annotations

import subprocess
import sys


def test_importing_the_client_imports_neither_models_nor_the_http_library() -> None:
    code = "import sys, weft.client; print({'pydantic', 'httpx2', 'msgspec', 'asyncio'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "set()"
