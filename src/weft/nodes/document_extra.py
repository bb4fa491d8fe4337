"""PDF and Excel files, which libraries read that are not always installed."""

from __future__ import annotations

import io
from importlib import import_module
from types import ModuleType

from weft.nodes.document_error import TextExtractionError, UnsupportedFileTypeError
from weft.nodes.document_package import Package
from weft.nodes.document_table import markdown_table

_MAX_CELLS = 2_000_000
_DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    SyntaxError,  # what XML parsers raise
    TypeError,
    ValueError,
)
"""What these libraries let through when a file is not as it should be."""


def pdf_text(data: bytes) -> str:
    """The text of all pages.

    Raises:
        UnsupportedFileTypeError: `pypdf` is not installed.
        TextExtractionError: The file is damaged or asks for a password.
    """
    pypdf = _library("pypdf", "PDF files")
    errors = import_module("pypdf.errors")
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise TextExtractionError("this PDF asks for a password; remove it and upload the file again")
        return "\n".join(page.extract_text() for page in reader.pages).strip()
    except (errors.PyPdfError, errors.DependencyError, *_DAMAGED) as error:
        raise TextExtractionError(f"this PDF cannot be read: {error}") from error


def xlsx_text(data: bytes) -> str:
    """A Markdown table for each sheet; formulas show the value that they last had.

    Raises:
        UnsupportedFileTypeError: `openpyxl` is not installed.
        TextExtractionError: The file is damaged or too large.
    """
    openpyxl = _library("openpyxl", "Excel files")
    Package(data)  # refuses what would become too large
    tables = []
    room = _MAX_CELLS
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what the file says of its size may be far too much
            rows = []
            for row in sheet.iter_rows(values_only=True):
                room -= len(row) + 1
                if room < 0:
                    raise TextExtractionError(f"this workbook has more than {_MAX_CELLS} cells")
                rows.append(["" if value is None else str(value) for value in row])
            tables.append(markdown_table(_without_empty(rows)))
        book.close()
    except _DAMAGED as error:
        raise TextExtractionError(f"this workbook cannot be read: {error}") from error
    return "\n\n".join(table for table in tables if table)


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    """The rows without those that are empty, and without empty columns at the right."""
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    width = max((index + 1 for row in kept for index, cell in enumerate(row) if cell.strip()), default=0)
    return [row[:width] for row in kept]


def _library(name: str, files: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise UnsupportedFileTypeError(
            f"{files} are read by {name}, which is not installed here; run: pip install weft[docs]"
        ) from error
