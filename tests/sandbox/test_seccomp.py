from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from weft.sandbox.inside.seccomp import ALLOW, ARCHITECTURES, FAIL, KILL, Filter, Instruction, program
from weft.sandbox.inside.syscalls import NUMBERS, RULES, numbers

MACHINES = ["x86_64", "aarch64"]
OWN = 4321
REFUSED = FAIL | errno.EPERM


def decide(code: list[Instruction], architecture: int, number: int, *arguments: int) -> int:
    """What the kernel's filter machine would answer, limited to the operations that we use."""
    data = {0: number, 4: architecture}
    for position, value in enumerate((*arguments, 0, 0, 0, 0, 0, 0)[:6]):
        data[16 + 8 * position] = value & 0xFFFFFFFF
        data[20 + 8 * position] = value >> 32 & 0xFFFFFFFF
    line, accumulator = 0, 0
    while True:
        operation, if_true, if_false, operand = code[line]
        line += 1
        if operation == 0x20:
            accumulator = data[operand]
        elif operation == 0x54:
            accumulator &= operand
        elif operation == 0x15:
            line += if_true if accumulator == operand else if_false
        elif operation == 0x35:
            line += if_true if accumulator >= operand else if_false
        else:
            assert operation == 0x06
            return operand


def ask(machine: str, name: str, *arguments: int) -> int:
    return decide(program(machine, OWN), ARCHITECTURES[machine], numbers(machine)[name], *arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_exactly_the_listed_calls_are_let_through(machine: str) -> None:
    code = program(machine, OWN)
    always = {number for name, number in numbers(machine).items() if name not in RULES}
    sometimes = {number for name, number in numbers(machine).items() if name in RULES}
    for number in [*range(1024), 2**31, 2**32 - 1]:
        answer = decide(code, ARCHITECTURES[machine], number)
        if number in always:
            assert answer == ALLOW, number
        elif number not in sometimes:
            assert answer == REFUSED, number


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_of_another_architecture_kills(machine: str) -> None:
    for architecture in {0x40000003, *ARCHITECTURES.values()} - {ARCHITECTURES[machine]}:
        assert decide(program(machine, OWN), architecture, numbers(machine)["getpid"]) == KILL


def test_the_x32_variant_of_a_call_is_refused() -> None:
    code = program("x86_64", OWN)
    for number in numbers("x86_64").values():
        assert decide(code, ARCHITECTURES["x86_64"], number | 0x40000000) == REFUSED


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("openat", (0, 0, os.O_RDONLY | 0o2000000), ALLOW),
        ("openat", (0, 0, os.O_WRONLY), FAIL | errno.EROFS),
        ("openat", (0, 0, os.O_RDWR), FAIL | errno.EROFS),
        ("openat", (0, 0, os.O_CREAT), FAIL | errno.EROFS),
        ("openat", (0, 0, os.O_TRUNC), FAIL | errno.EROFS),
        ("openat", (0, 0, os.O_APPEND), FAIL | errno.EROFS),
        ("openat", (0, 0, 0o20000000), FAIL | errno.EROFS),
        ("openat", (0, 0, 1 << 32 | os.O_WRONLY), FAIL | errno.EROFS),
        ("openat2", (), FAIL | errno.ENOSYS),
        ("clone3", (), FAIL | errno.ENOSYS),
        ("clone", (0x3D0F00,), ALLOW),
        ("clone", (0x7D0F00,), ALLOW),
        ("clone", (0x3D0F00 | 1 << 32,), REFUSED),
        ("clone", (17,), REFUSED),
        ("clone", (0x3D0F00 | 0x10000000,), REFUSED),
        ("fcntl", (3, 3), ALLOW),
        ("fcntl", (3, 1030), ALLOW),
        ("fcntl", (3, 1031), REFUSED),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), REFUSED),
        ("prlimit64", (0, 7, 0, 1 << 40), ALLOW),
        ("prlimit64", (0, 7, 1 << 40, 0), REFUSED),
        ("prlimit64", (1, 7, 0, 1 << 40), REFUSED),
        ("tgkill", (OWN, OWN, 6), ALLOW),
        ("tgkill", (OWN + 1, OWN, 6), REFUSED),
        ("socketpair", (1, 1 | 0o2000000, 0), ALLOW),
        ("socketpair", (1, 2, 0), REFUSED),
        ("socketpair", (2, 1, 0), REFUSED),
        ("sendto", (3, 1 << 40, 1, 0, 0, 0), ALLOW),
        ("sendto", (3, 1 << 40, 1, 0, 1 << 40, 16), REFUSED),
    ],
)
def test_arguments_are_looked_at(machine: str, name: str, arguments: tuple[int, ...], answer: int) -> None:
    assert ask(machine, name, *arguments) == answer


@pytest.mark.parametrize("machine", MACHINES)
def test_every_rule_belongs_to_a_listed_call_and_every_jump_fits(machine: str) -> None:
    assert set(RULES) <= set(NUMBERS)
    assert all(max(instruction[1:3]) < 256 for instruction in program(machine, OWN))
    assert len(set(numbers(machine).values())) == len(numbers(machine))


@pytest.mark.parametrize("machine", MACHINES)
def test_a_filter_can_be_encoded_with_a_blank_for_the_process(machine: str) -> None:
    assert isinstance(Filter(machine), Filter)


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_the_numbers_are_those_of_the_kernels_headers(machine: str, header: str) -> None:
    path = Path("/usr/include", header)
    if not path.exists():
        pytest.skip("the headers of the kernel are not installed")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", path.read_text()))
    renamed = {"newfstatat": "fstatat"} if machine == "aarch64" else {}
    assert {name: str(number) for name, number in numbers(machine).items()} == {
        name: found[renamed.get(name, name)] for name in numbers(machine)
    }
