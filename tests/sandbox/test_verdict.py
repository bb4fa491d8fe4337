from __future__ import annotations

import signal

import pytest

from weft.errors import CodeFailedError, SandboxError, SandboxUnavailableError
from weft.sandbox import SandboxLimits
from weft.sandbox.process import Exit
from weft.sandbox.verdict import Reply, explain_silence, judge

LIMITS = SandboxLimits(cpu_seconds=2.5)


def test_a_result_is_read() -> None:
    assert judge(Reply(b"R", b'{"a": [1, 2.5, null, "\xc3\xa9"]}')) == {"a": [1, 2.5, None, "é"]}


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"null", b'{"a": NaN}', b'{"a": "\xff"}', b"[" * 100_000, b"{} x"]
)
def test_a_result_that_is_no_object_of_valid_json_is_the_codes_fault(body: bytes) -> None:
    with pytest.raises(CodeFailedError):
        judge(Reply(b"R", body))


def test_a_complaint_is_passed_on() -> None:
    with pytest.raises(CodeFailedError, match="ValueError: é"):
        judge(Reply(b"E", "ValueError: é".encode()))


def test_a_child_that_could_not_confine_itself_means_that_nothing_can_be_run() -> None:
    with pytest.raises(SandboxUnavailableError, match="no walls"):
        judge(Reply(b"U", b"no walls"))


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (Exit(signal.SIGXCPU), "the code took too long: the limit is 2.5 s of processor time"),
        (Exit(signal.SIGKILL, 3.0), "the code took too long: the limit is 2.5 s of processor time"),
        (
            Exit(signal.SIGKILL, 0.1),
            "the code's process was killed from outside; the machine may be short of memory",
        ),
        (
            Exit(signal.SIGABRT),
            "the code crashed its interpreter (signal 6, Aborted); "
            "too deep a recursion or a lack of memory in native code does that",
        ),
        (Exit(7 << 8), "the code ended its process before main returned (exit status 7)"),
    ],
)
def test_a_silent_end_is_explained(ending: Exit, message: str) -> None:
    error = explain_silence(ending, LIMITS)
    assert (type(error), str(error)) == (CodeFailedError, message)


def test_a_child_that_never_was_is_not_the_codes_fault() -> None:
    error = explain_silence(Exit(error="no process could be started (EAGAIN: ...)"), LIMITS)
    assert (type(error), str(error)) == (SandboxError, "no process could be started (EAGAIN: ...)")
