"""The system calls that strangers' code may make, and with which arguments.

An allow-list: what is not named here fails with EPERM, be it older, newer or unheard of. In particular
there is no way to make a socket that can be connected, to start a program or a process, to signal or trace
anybody, to change anything on a disk, or to ask for privileges.

Numbers: `asm/unistd_64.h` for x86_64, `asm-generic/unistd.h` for aarch64.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

Machine = str
"""``x86_64`` or ``aarch64``, as `os.uname` spells it."""

OWN_PROCESS = -1
"""Stands for the id of the process that the filter is made for."""


class Check(NamedTuple):
    """A condition on one argument: its masked lower half is one of `values`, or all of it is zero."""

    argument: int
    """Position, counted from 0."""
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    whole: bool = False
    """Whether the upper half must be zero too (pointers and longs; the kernel cuts ints off itself)."""


class Rule(NamedTuple):
    """Allow a call when all checks hold; otherwise it fails with `refusal`."""

    checks: tuple[Check, ...]
    refusal: int = errno.EPERM


_WRITING = 0o3 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""Write access, O_CREAT, O_TRUNC, O_APPEND and O_TMPFILE."""
_THREAD = (0x3D0F00, 0x7D0F00)
"""The clone flags of a new thread of this process, as glibc and as musl ask for it."""
_FCNTL = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC."""
_IOCTL = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS (is it a terminal?), FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""

RULES: dict[str, Rule] = {
    "open": Rule((Check(1, (0,), mask=_WRITING),), errno.EROFS),
    "openat": Rule((Check(2, (0,), mask=_WRITING),), errno.EROFS),
    # With ENOSYS libc falls back to clone, whose flags a filter can see.
    "clone3": Rule((Check(0, ()),), errno.ENOSYS),
    "openat2": Rule((Check(0, ()),), errno.ENOSYS),
    "clone": Rule((Check(0, _THREAD, whole=True),)),
    "fcntl": Rule((Check(1, _FCNTL),)),
    "ioctl": Rule((Check(1, _IOCTL),)),
    "prlimit64": Rule((Check(0, (0,)), Check(2, (0,), whole=True))),
    "tgkill": Rule((Check(0, (OWN_PROCESS,)),)),
    # Connected pairs of stream sockets, for asyncio's wake-up; they cannot be sent anywhere else.
    "socketpair": Rule((Check(0, (1,)), Check(1, (1,), mask=0xF))),
    "sendto": Rule((Check(4, (0,), whole=True),)),
}

NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # input and output on what is open
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "close_range": (436, 436),
    "lseek": (8, 62),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "socketpair": (53, 199),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "shutdown": (48, 210),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441),
    # files, reading only; Landlock decides which
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    # memory
    "brk": (12, 214),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    # threads of this process
    "clone": (56, 220),
    "clone3": (435, 435),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # signals to itself
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "tgkill": (234, 131),
    "restart_syscall": (219, 128),
    "alarm": (37, None),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    # time
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    # facts about itself and the machine
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "getpgrp": (111, None),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "getgroups": (115, 158),
    "getrlimit": (97, 163),
    "prlimit64": (302, 261),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "getcpu": (309, 168),
    "uname": (63, 160),
    "sysinfo": (99, 179),
}
"""Name -> number on x86_64 and on aarch64, ``None`` where there is no such call."""


def numbers(machine: Machine) -> dict[str, int]:
    """The numbers of the listed calls on a machine."""
    column = ("x86_64", "aarch64").index(machine)
    return {name: number for name, row in NUMBERS.items() if (number := row[column]) is not None}
