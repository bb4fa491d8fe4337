"""How much strangers' code may use."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from weft.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one call of strangers' code may use; every call gets all of it anew.

    There is no limit for files: nothing on the disk is writable.

    Raises:
        ConfigError: A limit is not a positive number.
    """

    cpu_seconds: float = 10.0
    """Processor time of all threads together, in seconds; the kernel rounds it up to whole ones."""
    wall_seconds: float = 60.0
    """Time by the clock on the wall, in seconds, from the moment the code gets its process."""
    memory_bytes: int = 256 * 1024 * 1024
    """Address space beyond what an idle interpreter has; inputs and result count."""
    output_bytes: int = 8 * 1024 * 1024
    """Size of the result as UTF-8 JSON."""
    processes: int = 16
    """Threads at once, the first one included. Another program can never be started.

    Exact when the server runs as root, because every call then has a user id to itself. For an ordinary
    user the kernel only counts all that this user runs, so the bound is this many above the number of
    tasks on the machine; memory and processor time stay exact.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"sandbox limit {field.name} is {value!r}; give a positive number")
