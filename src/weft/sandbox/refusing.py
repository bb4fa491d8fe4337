"""The sandbox of a machine that cannot confine code."""

from __future__ import annotations

from collections.abc import Mapping

from weft.errors import SandboxUnavailableError
from weft.sandbox.limits import SandboxLimits
from weft.sandbox.port import Language


class RefusingSandbox:
    """Runs nothing and says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def run(
        self,
        language: Language,
        source: str,
        inputs: Mapping[str, object],
        *,
        limits: SandboxLimits | None = None,
    ) -> dict[str, object]:
        """Raise `SandboxUnavailableError`."""
        raise SandboxUnavailableError(self._reason)

    async def close(self) -> None:
        """Nothing to give back."""
