"""Text of Word, PowerPoint and OpenDocument files, tables in their place as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from weft.nodes.document_package import Package, local, walk
from weft.nodes.document_table import markdown_table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """Which elements of a format mean what, without their namespaces."""

    paragraphs: frozenset[str]
    table: str
    row: str
    cell: str
    text: str = ""
    """The element that holds text; empty if paragraphs hold it themselves."""
    breaks: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    """What holds a second copy of text, or text that is not shown."""


_WORD = _Dialect(
    paragraphs=frozenset({"p"}),
    table="tbl",
    row="tr",
    cell="tc",
    text="t",
    breaks=frozenset({"br", "cr"}),
    skip=frozenset({"Fallback", "pPr", "rPr", "tblPr", "del", "moveFrom"}),
)
_SLIDE = _Dialect(
    paragraphs=frozenset({"p"}),
    table="tbl",
    row="tr",
    cell="tc",
    text="t",
    breaks=frozenset({"br"}),
    skip=frozenset({"Fallback"}),
)
_OPEN = _Dialect(
    paragraphs=frozenset({"p", "h"}),
    table="table",
    row="table-row",
    cell="table-cell",
    breaks=frozenset({"line-break"}),
    skip=frozenset({"tracked-changes", "annotation", "sequence-decls", "note-citation"}),
)


def docx_text(data: bytes) -> str:
    """Paragraphs and tables of a Word file in their order.

    Raises:
        TextExtractionError: It is none, or damaged.
    """
    return "\n".join(_blocks(Package(data).xml("word/document.xml"), _WORD))


def odt_text(data: bytes) -> str:
    """Paragraphs, headings and tables of an OpenDocument text in their order.

    Raises:
        TextExtractionError: It is none, or damaged.
    """
    root = Package(data).xml("content.xml")
    body = next((element for element in root.iter() if local(element) == "body"), root)
    return "\n".join(_blocks(body, _OPEN))


def pptx_text(data: bytes) -> str:
    """Texts and tables of a presentation, slide by slide in the order of the show.

    Raises:
        TextExtractionError: It is none, or damaged.
    """
    package = Package(data)
    show = "ppt/presentation.xml"
    members = package.related(show)
    slides = []
    for entry in package.xml(show).iter():
        if local(entry) == "sldId":
            relation = next((value for key, value in entry.attrib.items() if key.endswith("}id")), "")
            if relation in members:
                slides.append("\n".join(_blocks(package.xml(members[relation]), _SLIDE)))
    return "\n\n".join(slide for slide in slides if slide)


def _blocks(root: Element, dialect: _Dialect) -> list[str]:
    """Paragraphs and tables; those inside of tables and of other paragraphs belong to the outer one."""
    blocks: list[str] = []
    waiting = [root]
    while waiting:
        element = waiting.pop()
        name = local(element)
        if name in dialect.paragraphs:
            text = _text(element, dialect).rstrip()
            if text.strip():
                blocks.append(text)
        elif name == dialect.table:
            table = markdown_table(_rows(element, dialect))
            if table:
                blocks.append(table)
        else:
            waiting.extend(child for child in reversed(element) if local(child) not in dialect.skip)
    return blocks


def _rows(table: Element, dialect: _Dialect) -> Sequence[Sequence[str]]:
    """The texts of a table's cells; a table inside of a cell is text of that cell."""
    rows: list[list[str]] = []
    waiting = list(reversed(table))
    while waiting:
        element = waiting.pop()
        name = local(element)
        if name == dialect.row:
            rows.append([])
        if name == dialect.cell:
            if not rows:
                rows.append([])
            rows[-1].append(_text(element, dialect))
        else:
            waiting.extend(reversed(element))
    return [row for row in rows if any(cell.strip() for cell in row)]


def _text(root: Element, dialect: _Dialect) -> str:
    pieces: list[str] = []
    for element, begins in walk(root, dialect.skip):
        name = local(element)
        if begins:
            if name in dialect.breaks:
                pieces.append("\n")
            elif name == "tab":
                pieces.append("\t")
            elif name == "s" and not dialect.text:
                pieces.append(" ")
            if name == dialect.text or not dialect.text:
                pieces.append(element.text or "")
        else:
            if name in dialect.paragraphs and element is not root:
                pieces.append("\n")
            if not dialect.text and element is not root:
                pieces.append(element.tail or "")
    return "".join(pieces)
