"""How a run ends, as it is told."""

from __future__ import annotations

from datetime import datetime

from weft.engine import RunOutcome
from weft.errors import (
    CredentialsError,
    ProviderError,
    QuotaExceededError,
    RateLimitedError,
    StoreError,
    UnsupportedModelError,
    WeftError,
)
from weft.events import RunFinished, RunPaused
from weft.runs.live import LiveRun
from weft.store import Run


def error_code(cause: WeftError | None) -> str | None:
    """The API's code for what ended a run, where it has one of its own."""
    match cause:
        case CredentialsError():
            return "provider_not_initialize"
        case QuotaExceededError():
            return "provider_quota_exceeded"
        case RateLimitedError():
            return "rate_limit_error"
        case UnsupportedModelError():
            return "model_currently_not_support"
        case ProviderError():
            return "completion_request_error"
        case StoreError():
            return "internal_server_error"
        case _:
            return None


def finished(live: LiveRun, outcome: RunOutcome, now: datetime) -> RunFinished:
    """What is told of a run that has ended."""
    return RunFinished(
        run_id=live.run.id,
        workflow_id=live.run.workflow_id,
        status=outcome.status,
        outputs=outcome.outputs,
        error=outcome.error,
        error_code=live.error_code,
        elapsed_time=outcome.elapsed_time,
        total_tokens=outcome.usage.total_tokens,
        total_steps=outcome.total_steps,
        exceptions_count=outcome.exceptions_count,
        started_at=live.run.created_at,
        at=live.run.finished_at or now,
        files=outcome.files,
    )


def paused(run: Run, outcome: RunOutcome, now: datetime) -> RunPaused:
    """What is told of a run that waits."""
    return RunPaused(
        run_id=run.id,
        workflow_id=run.workflow_id,
        reasons=outcome.reasons,
        outputs=outcome.outputs,
        elapsed_time=outcome.elapsed_time,
        total_tokens=outcome.usage.total_tokens,
        total_steps=outcome.total_steps,
        started_at=run.created_at,
        at=now,
    )
