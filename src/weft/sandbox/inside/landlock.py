"""Landlock: which files a process may touch at all, whoever it runs as.

A ruleset denies what it handles except for what its rules allow. We handle everything the running kernel
knows (files, TCP, signals and abstract sockets to the outside) and allow nothing but reading what imports
need. Source: Linux `Documentation/userspace-api/landlock.rst` and `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable

from .kernel import address, buffer, syscall
from .refusal import UnconfinableError, explain

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System call numbers, the same on x86_64 and aarch64."""
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

READ_FILE = 1 << 2
READ_DIR = 1 << 3
_FILE_RIGHTS = ((1, 0x1FFF), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
"""Version of the interface -> rights that came with it (execute ... make_sym, refer, truncate, ioctl)."""
_NET_RIGHTS = 0b11
"""Binding and connecting TCP, since version 4."""
_SCOPES = 0b11
"""Abstract unix sockets and signals to the outside, since version 6."""


def version() -> int:
    """The version of the kernel's Landlock interface, 1 or more.

    Raises:
        UnconfinableError: There is none, or it is not let through.
    """
    try:
        return syscall(_CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION)
    except OSError as error:
        remedy = {
            errno.ENOSYS: "it needs Linux 5.13 or newer, built with CONFIG_SECURITY_LANDLOCK",
            errno.EOPNOTSUPP: "it is built in but switched off: add landlock to the kernel's lsm= parameter",
            errno.EPERM: "the container's seccomp profile blocks it: allow landlock_create_ruleset, "
            "landlock_add_rule and landlock_restrict_self",
        }.get(error.errno or 0, "no remedy is known")
        raise UnconfinableError(f"Landlock is not available ({explain(error)}); {remedy}") from error


def ruleset(readable: Iterable[str]) -> int:
    """A ruleset that allows reading these files and what lies beneath these folders, and nothing else.

    Returns:
        A file descriptor for `enforce`.

    Raises:
        UnconfinableError: No Landlock here.
        OSError: One of the paths cannot be opened.
    """
    abi = version()
    files = 0
    for since, rights in _FILE_RIGHTS:
        files |= rights if abi >= since else 0
    words = [files]
    if abi >= 4:
        words.append(_NET_RIGHTS)
    if abi >= 6:
        words.append(_SCOPES)
    attributes = buffer(struct.pack(f"={len(words)}Q", *words))
    rules = syscall(_CREATE_RULESET, address(attributes), len(attributes), 0)
    for path in readable:
        _allow_reading(rules, path)
    return rules


def enforce(rules: int) -> None:
    """Put this thread and all it starts under the ruleset, for good; needs no_new_privs.

    Raises:
        UnconfinableError: The kernel refused.
    """
    try:
        syscall(_RESTRICT_SELF, rules, 0)
    except OSError as error:
        raise UnconfinableError(f"Landlock could not be applied ({explain(error)})") from error


def _allow_reading(rules: int, path: str) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = READ_FILE | READ_DIR if os.path.isdir(path) else READ_FILE
        rule = buffer(struct.pack("=Qi", rights, descriptor))
        syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, address(rule), 0)
    finally:
        os.close(descriptor)
