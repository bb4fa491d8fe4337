"""How much a run may do. Each is a setting of the same name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The defaults are Dify's own.

    Source: Dify workflow engine, environment defaults.
    """

    max_steps: int = 500
    """Node starts of a run, retries counted, those inside containers not."""
    max_run_seconds: float = 1200.0
    max_call_depth: int = 5
    """How deep workflows may call each other as tools."""
    max_parallel: int = 50
    """Nodes of one run that wait for the outside world at the same time."""
    max_variable_bytes: int = 204_800
    """Size of one conversation variable as JSON."""
    max_template_chars: int = 400_000
    max_string_chars: int = 400_000
    """Text in the output of a code node."""
    max_string_array: int = 30
    max_number_array: int = 1000
    max_object_array: int = 30
    max_object_depth: int = 5
    max_number: int = 9_223_372_036_854_775_807
    max_number_precision: int = 20
    """Decimal places."""
    max_memory_turns: int = 500
    """Earlier exchanges that a model is given at the most."""
    default_memory_tokens: int = 2000
    """Budget for them where the model's size is unknown."""
    max_node_file_bytes: int = 100 * 1024 * 1024
    """Size of one kept file that a node reads or makes."""
    max_shown_bytes: int = 20 * 1024 * 1024
    """Size of all kept files together that a model is shown in one call."""
