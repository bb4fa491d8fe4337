"""System calls that the standard library does not offer.

Arguments are plain numbers, addresses included, and the buffers of frequent calls are made once: everything
that a forked child touches for the first time costs it a page fault.
"""

from __future__ import annotations

import ctypes
import os
import struct

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

Buffer = ctypes.Array[ctypes.c_char]

_PIDFD_OPEN, _CLOSE_RANGE = 434, 436
"""By number, because Pythons built against old headers lack them; the same on x86_64 and aarch64."""
_CAPABILITY_VERSION_3 = 0x20080522

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYSCALL = _LIBC.syscall
_SYSCALL.argtypes = [ctypes.c_ulong] * 6
_SYSCALL.restype = ctypes.c_long
_PRCTL = _LIBC.prctl
_PRCTL.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_CAPSET, _CAPGET = _LIBC.capset, _LIBC.capget
_CAPSET.argtypes = _CAPGET.argtypes = [ctypes.c_ulong] * 2


def buffer(content: bytes) -> Buffer:
    """Bytes at a fixed place in memory."""
    return ctypes.create_string_buffer(content, len(content))


def address(place: Buffer) -> int:
    """Where a buffer lies; valid as long as the buffer is kept."""
    return ctypes.addressof(place)


_CAPABILITY_HEADER = buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
_NO_CAPABILITIES = buffer(bytes(24))
_CAPABILITIES = buffer(bytes(24))
_HEADER_AT, _NONE_AT, _FOUND_AT = map(address, (_CAPABILITY_HEADER, _NO_CAPABILITIES, _CAPABILITIES))


def syscall(number: int, *arguments: int) -> int:
    """Make a system call with up to five arguments.

    Raises:
        OSError: The kernel said no.
    """
    return _checked(_SYSCALL(number, *arguments, *(0,) * (5 - len(arguments))))


def prctl(option: int, first: int, second: int = 0) -> int:
    """Change an attribute of this process.

    Raises:
        OSError: The kernel said no.
    """
    return _checked(_PRCTL(option, first, second, 0, 0))


def open_process(process_id: int) -> int:
    """A descriptor that becomes readable when that child of ours has ended.

    Raises:
        OSError: The kernel said no.
    """
    return syscall(_PIDFD_OPEN, process_id, 0)


def close_range(first: int, last: int) -> None:
    """Close all descriptors from the first to the last.

    Raises:
        OSError: The kernel said no.
    """
    syscall(_CLOSE_RANGE, first, last, 0)


def drop_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets; the ambient set goes with them.

    Raises:
        OSError: The kernel said no.
    """
    _checked(_CAPSET(_HEADER_AT, _NONE_AT))


def has_capabilities() -> bool:
    """Whether any of the three sets still holds something."""
    _checked(_CAPGET(_HEADER_AT, _FOUND_AT))
    return any(_CAPABILITIES.raw)


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
