"""What is wrong with the code, told to its author."""

from __future__ import annotations

LONGEST_COMPLAINT = 8000
"""Characters; longer ones lose their middle."""


class ComplaintError(Exception):
    """The code itself is at fault; the text is for its author and names no path of this machine."""


def shorten(text: str) -> str:
    """The text, or its two ends if it is too long for a message."""
    if len(text) <= LONGEST_COMPLAINT:
        return text
    half = LONGEST_COMPLAINT // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


def too_much_memory(limit_bytes: int) -> str:
    """What is said when the memory is used up."""
    return f"the code used more memory than it may: the limit is {limit_bytes / 2**20:g} MiB"


def too_much_time(limit_seconds: float) -> str:
    """What is said when the processor time is used up."""
    return f"the code took too long: the limit is {limit_seconds:g} s of processor time"
