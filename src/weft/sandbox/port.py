"""What a sandbox offers to the rest of the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from weft.sandbox.limits import SandboxLimits

Language = Literal["python3", "javascript"]
"""The languages of code nodes, in the spelling of the chatflow file."""


class Sandbox(Protocol):
    """A place where strangers' code runs and reaches nothing."""

    async def run(
        self,
        language: Language,
        source: str,
        inputs: Mapping[str, object],
        *,
        limits: SandboxLimits | None = None,
    ) -> dict[str, object]:
        """Call the function ``main`` that `source` defines and give back what it returns.

        What the code prints is dropped. Cancelling the awaiting task ends the code at once.

        Args:
            language: ``python3`` calls ``main(**inputs)``; ``javascript`` calls ``main({...})`` and waits for
                the promise if that is what it gets.
            source: The code as its author wrote it.
            inputs: JSON values by name; NaN and infinities arrive as null.
            limits: For this call; ``None`` means those the sandbox was opened with.

        Returns:
            The returned object as JSON values. NaN and infinities have become ``None`` (as JavaScript's own
            JSON does), tuples lists, keys strings, and halves of surrogate pairs ``?``.

        Raises:
            CodeFailedError: The code raised, defines no ``main``, did not return a mapping or something that
                JSON can hold, or exceeded a limit; the message is for the author of the code.
            SandboxUnavailableError: This machine cannot confine code; nothing was run.
            SandboxError: The sandbox was closed, or its own process died twice in a row.
        """
        ...

    async def close(self) -> None:
        """End all code that is running and give back the processes; `run` raises from then on."""
        ...
