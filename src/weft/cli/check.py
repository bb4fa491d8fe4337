"""`weft check`."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from weft.cli.failure import FAILED, REFUSED, BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

if TYPE_CHECKING:
    from weft.errors import Problem
    from weft.graph import CheckReport, Need

ENDING = """\
Examples:

  weft check app.yml
  weft check exports/*.yml --json | jq '.files[] | select(.ok | not) | .file'

Exit codes: 0 all can be run (there may be warnings), 1 some cannot, 2 a file cannot be read."""


def check(*files: str, as_json: JsonOption = False) -> int:
    """Say everything that is wrong with exported apps, without running them.

    Of each problem: where it is, which node has it, what is wrong and what to do. Then what looks wrong but
    does not matter, and what the app needs from outside: models, tools, datasets.

    Args:
        files: Exports of apps (YAML).
    """
    if not files:
        raise BadCallError("no file is named; give the path of an exported app: weft check app.yml")
    from weft.cli.app_file import read_app_file  # brings all node types along
    from weft.graph import check_app
    from weft.nodes import build_node

    screen = Screen(sys.stdout)
    contents: list[dict[str, object]] = []
    code = 0
    for file in files:
        try:
            text = read_app_file(file)
        except BadCallError as error:
            print(f"error: {error}", file=sys.stderr)
            contents.append({"file": file, "ok": False, "error": str(error)})
            code = REFUSED
            continue
        report = check_app(text, build_node, source=file)
        contents.append(_content(file, report))
        if not report.ok:
            code = max(code, FAILED)
        if not as_json:
            _show(screen, file, report)
    if as_json:
        print(json.dumps({"ok": code == 0, "files": contents}, indent=2, ensure_ascii=False))
    return code


def _show(screen: Screen, file: str, report: CheckReport) -> None:
    about = ", ".join(
        part
        for part in (
            report.name,
            report.mode,
            f"format {report.version}" if report.version else "",
            _count(sum(report.node_counts.values()), "node"),
        )
        if part
    )
    if report.ok:
        screen.line(f"{file}: can be run ({about})", "green")
    else:
        screen.line(f"{file}: cannot be run, {_count(len(report.problems), 'problem')} ({about})", "bold red")
    for problem in report.problems:
        _show_problem(screen, "error", "red", problem)
    for problem in report.warnings:
        _show_problem(screen, "warning", "yellow", problem)
    for kind, name, nodes in _needs(report.needs):
        screen.line(f"  needs {kind} {name} ({', '.join(nodes)})")


def _show_problem(screen: Screen, word: str, style: str, problem: Problem) -> None:
    where = f"{problem.path}: " if problem.path else ""
    screen.line(f"  {word}: {where}{_one_line(problem.message)}", style)
    if problem.node_id is not None and problem.node_id not in problem.message:
        title = f" ({_one_line(problem.node_title)})" if problem.node_title else ""
        screen.line(f"    node: {problem.node_id}{title}")
    if problem.fix:
        screen.line(f"    fix: {_one_line(problem.fix)}")


def _needs(needs: Sequence[Need]) -> list[tuple[str, str, list[str]]]:
    nodes: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for need in needs:
        nodes[need.kind, need.name].append(need.node_id)
    return [(kind, name, list(dict.fromkeys(ids))) for (kind, name), ids in nodes.items()]


def _content(file: str, report: CheckReport) -> dict[str, object]:
    return {
        "file": file,
        "ok": report.ok,
        "name": report.name,
        "mode": report.mode,
        "version": report.version,
        "problems": [_problem_content(problem) for problem in report.problems],
        "warnings": [_problem_content(problem) for problem in report.warnings],
        "needs": [
            {"kind": kind, "name": name, "node_ids": nodes} for kind, name, nodes in _needs(report.needs)
        ],
        "node_counts": dict(report.node_counts),
        "dependencies": list(report.dependencies),
    }


def _problem_content(problem: Problem) -> dict[str, object]:
    return {
        "code": problem.code,
        "path": problem.path,
        "node_id": problem.node_id,
        "node_title": problem.node_title,
        "message": problem.message,
        "fix": problem.fix,
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
