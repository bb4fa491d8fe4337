"""Write `requirements.lock`: every package of the program, its extras and its groups, pinned and hashed.

The lock serves every platform and both installers (``uv pip install`` and ``pip install``, each with
``--require-hashes``). It names no index, so it is valid wherever the packages can be had.

    ./dev lock [--upgrade] [--upgrade-package NAME ...]   resolve again, keeping pins that still fit
    ./dev lock --check                                    is the lock up to date? needs no network
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Made by `./dev lock` from pyproject.toml; not edited by hand.\n"
DIGEST = "# inputs: sha256:"


def requirements(pyproject: Mapping[str, object]) -> list[str]:
    """Every direct requirement of the project, its extras and its groups, sorted."""
    project = _table(pyproject, "project")
    found = list(_strings(project.get("dependencies", [])))
    for members in _table(project, "optional-dependencies").values():
        found += _strings(members)
    for members in _table(pyproject, "dependency-groups").values():
        found += _strings(members)
    return sorted(found)


def digest(pyproject: Mapping[str, object]) -> str:
    """What the lock was made from, as a number: changes whenever the lock has to be made again."""
    inputs = [_table(pyproject, "project").get("requires-python"), requirements(pyproject)]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def problems(pyproject: Mapping[str, object], lock: str) -> list[str]:
    """What is wrong with the lock, one sentence each; empty when it is up to date."""
    found = []
    if f"{DIGEST}{digest(pyproject)}\n" not in lock:
        found.append("it was made from other requirements than pyproject.toml has now")
    if addresses := re.findall(r"\S*://\S*|^--?[a-z-]+ .*$", lock, flags=re.MULTILINE):
        found.append(f"it names an address or an option: {', '.join(sorted(set(addresses)))}")
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock, flags=re.MULTILINE))
    own = canonicalize_name(str(_table(pyproject, "project").get("name")))
    for text in requirements(pyproject):
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        if name == own:
            continue
        if name not in pins:
            found.append(f"{wanted.name} is missing")
        elif not wanted.specifier.contains(pins[name], prereleases=True):
            found.append(f"{name} {pins[name]} is outside of {wanted.specifier}")
    return found


def make(uv: str, options: Sequence[str]) -> str:
    """Resolve and return the text of a new lock.

    Args:
        uv: The program that resolves.
        options: Passed on to it, e.g. ``["--upgrade"]``.
    """
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    command = [uv, "pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--all-extras"]
    command += ["--no-header", "--quiet", "--annotation-style", "line"]
    for group in _table(pyproject, "dependency-groups"):
        command += ["--group", group]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "requirements.lock")
        if LOCK.exists():
            shutil.copyfile(LOCK, target)
        subprocess.run([*command, *options, "--output-file", str(target)], cwd=ROOT, check=True)
        body = "".join(line for line in target.read_text().splitlines(keepends=True) if line[0] != "#")
    return f"{HEADER}{DIGEST}{digest(pyproject)}\n{body}"


def find_uv() -> str:
    """The resolver: the one of this environment, else the one on the path."""
    own = Path(sys.executable).with_name("uv")
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv is neither in this environment nor on the path; install it with: pip install uv")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0 when the lock is up to date."""
    parser = argparse.ArgumentParser(prog="lock", description="Write or check requirements.lock.")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions of everything")
    parser.add_argument("--upgrade-package", action="append", default=[], metavar="NAME")
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        options = ["--upgrade"] if chosen.upgrade else []
        for name in chosen.upgrade_package:
            options += ["--upgrade-package", name]
        fresh = LOCK.with_name(f".{LOCK.name}.{os.getpid()}")
        fresh.write_text(make(find_uv(), options))
        fresh.replace(LOCK)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wrong = problems(pyproject, LOCK.read_text() if LOCK.exists() else "")
    for sentence in wrong:
        print(f"{LOCK.name}: {sentence}; run ./dev lock", file=sys.stderr)
    return 1 if wrong else 0


def _table(parent: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = parent.get(key, {})
    return value if isinstance(value, dict) else {}


def _strings(values: object) -> list[str]:
    # A group may also hold {include-group = "..."}; the group it names is read by itself.
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


if __name__ == "__main__":
    sys.exit(main())
