from __future__ import annotations

from typing import ClassVar

import pytest
from weft_haiku import HaikuNode

from weft.testing import NodeContract
from weft.variables import MISSING

POND = "An old silent pond\nA frog jumps into the pond\nSplash! Silence again"


class TestHaiku(NodeContract):
    pytestmark = pytest.mark.anyio
    node_type = HaikuNode
    data: ClassVar = {"type": "haiku", "source": ["sys", "query"]}
    values: ClassVar = {"sys.query": POND}
    outputs: ClassVar = {"is_haiku": True, "syllables": [5, 7, 5]}
    wrong_data = ({"source": []}, {"pattern": ["five"]})
    failing = ({"sys.query": MISSING},)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
