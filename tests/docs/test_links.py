from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.page import DOCS, ROOT, all_pages, read_page

OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks/README.md"]


@pytest.mark.parametrize("path", [*all_pages(), *OTHERS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_between_files_leads_somewhere(path: Path) -> None:
    broken = []
    page = read_page(path)
    for line, target in page.links:
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        aim = (path.parent / file).resolve() if file else path
        if not aim.exists() or (anchor and anchor not in read_page(aim).anchors):
            broken.append(f"{page.name}:{line}: {target}")
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for _, target in read_page(path).links:
            aim = (path.parent / target.partition("#")[0]).resolve()
            if "://" not in target and aim.suffix == ".md" and aim.is_file():
                waiting.append(aim)
    assert sorted(set(DOCS.rglob("*.md")) - seen) == []


def test_every_example_is_mentioned_on_a_page() -> None:
    told = "\n".join(path.read_text(encoding="utf-8") for path in all_pages())
    examples = [*(ROOT / "examples").glob("*.py"), *(ROOT / "examples/apps").iterdir()]
    assert [path.name for path in examples if path.is_file() and path.name not in told] == []
