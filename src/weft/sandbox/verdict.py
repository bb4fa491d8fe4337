"""What a finished call amounts to: a result, or whose fault it was."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import msgspec

from weft.errors import CodeFailedError, SandboxError, SandboxUnavailableError
from weft.sandbox.inside.complaint import shorten, too_much_time
from weft.sandbox.inside.messages import RESULT, UNCONFINED
from weft.sandbox.limits import SandboxLimits
from weft.sandbox.process import Exit


@dataclass(frozen=True, slots=True)
class Reply:
    """What a child said; its code may have forged it."""

    kind: bytes
    body: bytes


def judge(reply: Reply) -> dict[str, object]:
    """The result of a call that was answered.

    Raises:
        CodeFailedError: The code failed.
        SandboxUnavailableError: The process could not confine itself and ran nothing.
    """
    if reply.kind == RESULT:
        return _result(reply.body)
    text = shorten(reply.body.decode("utf-8", "replace"))
    raise SandboxUnavailableError(text) if reply.kind == UNCONFINED else CodeFailedError(text)


def explain_silence(ending: Exit, limits: SandboxLimits) -> SandboxError:
    """The error for a process that ended without a complete reply."""
    if ending.error:
        return SandboxError(ending.error)
    return CodeFailedError(_death(ending, limits))


def _result(body: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CodeFailedError(f"the code's result is not valid JSON: {error}") from error
    except RecursionError as error:
        raise CodeFailedError("main returned an object that is nested too deeply") from error
    if not isinstance(value, dict):
        raise CodeFailedError("the code's result is not an object")
    return value


def _death(ending: Exit, limits: SandboxLimits) -> str:
    if not os.WIFSIGNALED(ending.status):
        return (
            f"the code ended its process before main returned (exit status {os.WEXITSTATUS(ending.status)})"
        )
    number = os.WTERMSIG(ending.status)
    if number == signal.SIGXCPU or (number == signal.SIGKILL and ending.cpu_seconds >= limits.cpu_seconds):
        return too_much_time(limits.cpu_seconds)
    if number == signal.SIGKILL:
        return "the code's process was killed from outside; the machine may be short of memory"
    return (
        f"the code crashed its interpreter (signal {number}, {signal.strsignal(number)}); "
        "too deep a recursion or a lack of memory in native code does that"
    )
