"""Seccomp: which system calls a process may make, as a program in the kernel's packet filter language.

The program is written here by hand, without libseccomp. It loads the architecture and the number of the
call, finds the number by halving, and ends in "allow" or "fail with an error number".
Source: Linux `Documentation/userspace-api/seccomp_filter.rst`, `linux/filter.h`, `linux/audit.h`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from .kernel import PR_SET_SECCOMP, address, buffer, prctl
from .refusal import UnconfinableError, explain
from .syscalls import OWN_PROCESS, RULES, Check, Machine, Rule, numbers

_LOAD = 0x20
_EQUAL = 0x15
_AT_LEAST = 0x35
_AND = 0x54
_RETURN = 0x06

ALLOW = 0x7FFF0000
FAIL = 0x00050000
"""Plus the error number."""
KILL = 0x80000000

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in `struct seccomp_data`; each argument has 8 bytes, lower half first."""
ARCHITECTURES: Mapping[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_MODE_FILTER = 2
_NEVER = Rule((Check(0, ()),))

Instruction = tuple[int, int, int, int]
"""Operation, jump if true, jump if false, operand."""


def program(machine: Machine, process_id: int) -> list[Instruction]:
    """The filter for one process on one kind of machine."""
    head: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    return head + _search(_segments(numbers(machine)), process_id)


def encode(code: list[Instruction]) -> bytes:
    """The program as an array of `struct sock_filter`."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


class Filter:
    """The filter for a machine, encoded once, with a blank where each process's own id goes."""

    _BLANK = 0x7FFFFFFF
    """Above every possible process id, and used for nothing else in the program."""

    def __init__(self, machine: Machine) -> None:
        code = program(machine, self._BLANK)
        (line,) = (line for line, instruction in enumerate(code) if instruction[3] == self._BLANK)
        self._operand = 8 * line + 4
        self._code = buffer(encode(code))
        self._head = buffer(struct.pack("@HP", len(code), address(self._code)))

    def install(self, process_id: int) -> None:
        """Filter all further system calls of this process, for good; needs no_new_privs.

        Raises:
            UnconfinableError: The kernel has no seccomp filters, or refused this one.
        """
        struct.pack_into("=I", self._code, self._operand, process_id)
        try:
            prctl(PR_SET_SECCOMP, _MODE_FILTER, address(self._head))
        except OSError as error:
            raise UnconfinableError(
                f"seccomp filters are not available ({explain(error)}); "
                "they need a kernel built with CONFIG_SECCOMP_FILTER and a container that allows prctl"
            ) from error


def _segments(listed: Mapping[str, int]) -> list[tuple[int, Rule | None]]:
    """Where in the line of all numbers the rule changes: (first number, rule), ``None`` means no condition.

    Numbers of the x32 variant have their 30th bit set and so fall into the last segment, which refuses.
    """
    rules = {number: RULES.get(name) for name, number in listed.items()}
    segments: list[tuple[int, Rule | None]] = []
    for number in sorted({0, *rules, *(number + 1 for number in rules)}):
        rule = rules.get(number, _NEVER)
        if not segments or segments[-1][1] != rule:
            segments.append((number, rule))
    return segments


def _search(segments: list[tuple[int, Rule | None]], process_id: int) -> list[Instruction]:
    """Find the segment of the loaded number by halving.

    The kernel tries the filter with every number there is whenever it is installed, so a plain list would
    cost each process a tenth of a millisecond more.
    """
    if len(segments) == 1:
        return _leaf(segments[0][1], process_id)
    middle = len(segments) // 2
    below = _search(segments[:middle], process_id)
    above = _search(segments[middle:], process_id)
    return [(_AT_LEAST, len(below), 0, segments[middle][0]), *below, *above]


def _leaf(rule: Rule | None, process_id: int) -> list[Instruction]:
    if rule is None:
        return [(_RETURN, 0, 0, ALLOW)]
    code: list[Instruction] = []
    for check in rule.checks:
        code += _condition(check, rule.refusal, process_id)
        if not check.values:
            return code
    return [*code, (_RETURN, 0, 0, ALLOW)]


def _condition(check: Check, refusal: int, process_id: int) -> list[Instruction]:
    low = _ARGUMENTS + 8 * check.argument
    refuse: Instruction = (_RETURN, 0, 0, FAIL | refusal)
    if not check.values:
        return [refuse]
    code: list[Instruction] = []
    if check.whole:
        code += [(_LOAD, 0, 0, low + 4), (_EQUAL, 1, 0, 0), refuse]
    code.append((_LOAD, 0, 0, low))
    if check.mask != 0xFFFFFFFF:
        code.append((_AND, 0, 0, check.mask))
    for position, value in enumerate(check.values):
        past = len(check.values) - position
        code.append((_EQUAL, past, 0, process_id if value == OWN_PROCESS else value))
    return [*code, refuse]
