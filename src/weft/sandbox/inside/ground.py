"""What the zygote prepares once, so that a fork has everything at hand."""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import resource
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from types import ModuleType

from . import landlock, seccomp
from .confinement import Walls
from .messages import Setup
from .refusal import UnconfinableError, explain

_PRELOADED = (
    *("base64", "collections", "copy", "datetime", "functools", "io", "itertools", "json", "math"),
    *("operator", "random", "re", "string", "time", "typing", "urllib.parse"),
)
"""Imported before the first fork: what code nodes use most. Each module makes every fork a little dearer."""
_PRIVATE = ("site-packages", "dist-packages")
"""Folders inside the standard library that are none of it."""
_TIME_ZONES = "/usr/share/zoneinfo"
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
"""What compiled packages may be linked against."""
_FIRST_LIFTED = 10
"""Descriptors that children need start here, above the one that each child puts its channel on."""


def prepare(setup: Setup) -> Walls:
    """Import, set the import path, build ruleset and filter.

    Folders to import from become ``/proc/self/fd/N`` so that the way to them need not be open to the user
    that a child becomes, and no path of this machine shows.

    Raises:
        UnconfinableError: Something that the confinement needs is missing here.
    """
    machine = _machine()
    landlock.version()
    standard = [path for path in sys.path if os.path.isdir(path)]
    moved: dict[str, str] = {}
    folders: list[int] = []
    for path in [*standard, *setup.packages]:
        folders.append(_open_folder(path))
        moved[path] = f"/proc/self/fd/{folders[-1]}"
    if not os.path.isdir(f"{moved[standard[0]]}/json"):
        raise UnconfinableError("/proc is not mounted here; mount it")
    _move_imports(moved)
    for name in _PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    # Looking in vain makes the importer read every folder now; a child may not list the outermost ones.
    find_spec("weft_nowhere")
    _forget_paths()
    readable = filter(os.path.exists, _readable(standard, setup.packages))
    rules = _lift(landlock.ruleset(readable))
    gc.collect()
    gc.freeze()
    # A collection in the zygote would touch, and so copy, pages that its children share.
    gc.disable()
    return Walls(rules, tuple(folders), seccomp.Filter(machine), _address_space())


def load_engine(path: str | None) -> ModuleType | None:
    """The JavaScript engine from its file, without its folder becoming importable; ``None`` if that fails."""
    if path is None:
        return None
    loader = ExtensionFileLoader("_quickjs", path)
    spec = spec_from_file_location("_quickjs", path, loader=loader)
    if spec is None:
        return None
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
    except ImportError:
        return None
    sys.modules.pop("_quickjs", None)
    return module


def _machine() -> str:
    machine = os.uname().machine
    if machine not in seccomp.ARCHITECTURES or struct.calcsize("P") != 8:
        raise UnconfinableError(
            f"there is no filter of system calls for {8 * struct.calcsize('P')}-bit Python on {machine}; "
            f"use a 64-bit one on {' or '.join(seccomp.ARCHITECTURES)}"
        )
    return machine


def _open_folder(path: str) -> int:
    try:
        return _lift(os.open(path, os.O_PATH | os.O_DIRECTORY))
    except OSError as error:
        raise UnconfinableError(
            f"the folder {path} cannot be opened ({explain(error)}); correct the setting 'sandbox.packages'"
        ) from error


def _lift(descriptor: int) -> int:
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_LIFTED)
    os.close(descriptor)
    return high


def _move_imports(moved: dict[str, str]) -> None:
    sys.path[:] = moved.values()
    sys.path_importer_cache.clear()
    for module in list(sys.modules.values()):
        found = getattr(module, "__path__", None)
        if found is not None:
            module.__path__ = [_moved(path, moved) for path in found]


def _moved(path: str, moved: dict[str, str]) -> str:
    for old, new in moved.items():
        if path.startswith(f"{old}/"):
            return new + path[len(old) :]
    return path


def _forget_paths() -> None:
    sys.argv[:] = [""]
    sys.executable = ""
    sys.dont_write_bytecode = True
    os.environ.clear()


def _readable(standard: list[str], packages: Sequence[str]) -> Iterator[str]:
    for path in standard:
        yield from (f"{path}/{name}" for name in os.listdir(path) if name not in _PRIVATE)
    yield from packages
    yield _TIME_ZONES
    yield from _SYSTEM_LIBRARIES if packages else _linked_libraries(standard)


def _linked_libraries(standard: Sequence[str]) -> list[str]:
    """The files of the libraries that the standard library is linked against.

    Found by loading all its compiled modules in a process that then ends.
    """
    ours, theirs = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        try:
            for name in _compiled(standard):
                with suppress(ImportError):
                    importlib.import_module(name)
            with open("/proc/self/maps", "rb") as maps:
                files = {line.split(maxsplit=5)[-1].strip() for line in maps if b".so" in line}
            os.write(theirs, b"\n".join(files))
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as report:
        found = report.read().split(b"\n")
    os.waitpid(process_id, 0)
    return [os.fsdecode(path) for path in found if path.startswith(b"/")]


def _compiled(standard: Sequence[str]) -> Iterator[str]:
    for path in standard:
        for file in os.listdir(path):
            name, _, suffix = file.partition(".")
            if f".{suffix}" in EXTENSION_SUFFIXES and not name.startswith(("_test", "xx")):
                yield name


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
