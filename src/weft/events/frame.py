"""Where in the nesting of containers something happened."""

from __future__ import annotations

from typing import Literal

import msgspec

ContainerKind = Literal["iteration", "loop"]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The innermost iteration and the innermost loop around an event; all ``None`` at the root."""

    iteration_id: str | None = None
    """Node id of the iteration."""
    iteration_index: int | None = None
    """Zero-based item."""
    loop_id: str | None = None
    """Node id of the loop."""
    loop_index: int | None = None
    """Zero-based round."""

    def inside(self, kind: ContainerKind, node_id: str, index: int) -> Frame:
        """The frame of one item or round of a container that stands in this one."""
        if kind == "iteration":
            return msgspec.structs.replace(self, iteration_id=node_id, iteration_index=index)
        return msgspec.structs.replace(self, loop_id=node_id, loop_index=index)


ROOT = Frame()
