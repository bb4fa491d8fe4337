"""Waiting for work that a server does in the background."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from weft.errors import RunError, TransportError

if TYPE_CHECKING:
    from weft.wire import AnnotationReplyJobStatus

FIRST_WAIT = 0.5
LONGEST_WAIT = 5.0


def waits(timeout: float) -> Iterator[float]:
    """Seconds to wait between one look and the next, growing, together not more than `timeout`."""
    wait = FIRST_WAIT
    while timeout > 0:
        yield min(wait, timeout)
        timeout -= wait
        wait = min(wait * 1.5, LONGEST_WAIT)
    yield 0.0  # for a last look


def check_job(status: AnnotationReplyJobStatus) -> bool:
    """Whether it is done.

    Raises:
        RunError: It failed.
    """
    if status.job_status == "error":
        raise RunError(f"job {status.job_id} failed: {status.error_msg or 'the server does not say why'}")
    return status.job_status == "completed"


def late(action: str, job_id: str, timeout: float) -> TransportError:
    """The error for a job that is not done in time."""
    return TransportError(f"job {job_id} ({action} annotation reply) is not done after {timeout:g} seconds")
