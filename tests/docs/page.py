"""A page of the documentation taken apart: code blocks, headings and links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)(?: +title=\"(?P<title>[^\"]+)\")?$")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *$")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One code block."""

    language: str
    title: str | None
    """The name of the file that the block is."""
    text: str
    line: int
    """Of the opening fence, from 1."""


@dataclass(slots=True)
class DocPage:
    """A page."""

    path: Path
    blocks: list[Block] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    links: list[tuple[int, str]] = field(default_factory=list)
    """Line and target."""
    prose: str = ""
    """Everything outside of code blocks and comments."""

    @property
    def name(self) -> str:
        """Where it lies, from the project's root."""
        return self.path.relative_to(ROOT).as_posix()


def read_page(path: Path) -> DocPage:
    """Take a page apart."""
    page = DocPage(path)
    prose: list[str] = []
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is not None:
            indent, body = fence["indent"], []
            for _, inner in lines:
                if inner == f"{indent}```":
                    break
                body.append(inner.removeprefix(indent))
            else:
                raise AssertionError(f"{page.name}:{number}: the code block has no end")
            page.blocks.append(Block(fence["language"], fence["title"], "\n".join(body) + "\n", number))
            continue
        if line.lstrip().startswith("```"):
            raise AssertionError(f"{page.name}:{number}: a fence is ```language, or with title=...")
        prose.append(line)
        heading = _HEADING.match(line)
        if heading is not None:
            page.anchors.add(_slug(heading["text"]))
        page.links += [(number, link["target"]) for link in _LINK.finditer(line)]
    page.prose = _COMMENT.sub("", "\n".join(prose))
    return page


def all_pages() -> list[Path]:
    """README and every page below docs."""
    return [README, *sorted(DOCS.rglob("*.md"))]


def _slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
