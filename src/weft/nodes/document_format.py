"""Which kind of document a file is, and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from weft.nodes.document_encoding import decode_text
from weft.nodes.document_error import UnsupportedFileTypeError
from weft.nodes.document_extra import pdf_text, xlsx_text
from weft.nodes.document_office import docx_text, odt_text, pptx_text
from weft.nodes.document_reader import eml_text, epub_text
from weft.nodes.document_structured import csv_text, json_text, properties_text, vtt_text, yaml_text
from weft.variables import File

Extract: TypeAlias = Callable[[bytes], str]
"""Bytes of a file to its text; raises `TextExtractionError` and may take long."""

_AS_IT_IS = frozenset(
    """
    txt text md markdown mdx rst adoc tex org log diff patch srt html htm xhtml xml svg css scss
    sass less vue svelte py pyi ipynb rb pl pm php lua r jl tcl sh bash zsh fish ps1 bat cmd awk js
    mjs cjs jsx ts mts cts tsx coffee dart c h cc cpp cxx hpp hxx cs m mm java kt kts scala groovy
    gradle swift go rs zig nim d pas f90 f95 asm s hs ml mli fs fsx clj cljs erl ex exs lisp el scm
    sql graphql gql proto thrift ini cfg conf toml env tf hcl cmake make mk dockerfile jsonl ndjson
    tsv bib
    """.split()  # noqa: SIM905
)

_BY_EXTENSION: Mapping[str, Extract] = {
    **dict.fromkeys(_AS_IT_IS, decode_text),
    "json": json_text,
    "yaml": yaml_text,
    "yml": yaml_text,
    "csv": csv_text,
    "properties": properties_text,
    "vtt": vtt_text,
    "pdf": pdf_text,
    "docx": docx_text,
    "xlsx": xlsx_text,
    "xlsm": xlsx_text,
    "pptx": pptx_text,
    "odt": odt_text,
    "epub": epub_text,
    "eml": eml_text,
}
_OFFICE = "application/vnd.openxmlformats-officedocument"
_BY_MIME_TYPE: Mapping[str, Extract] = {
    "application/json": json_text,
    "application/yaml": yaml_text,
    "application/x-yaml": yaml_text,
    "text/yaml": yaml_text,
    "text/x-yaml": yaml_text,
    "text/csv": csv_text,
    "application/csv": csv_text,
    "text/properties": properties_text,
    "text/x-java-properties": properties_text,
    "text/vtt": vtt_text,
    "application/xml": decode_text,
    "application/javascript": decode_text,
    "application/pdf": pdf_text,
    f"{_OFFICE}.wordprocessingml.document": docx_text,
    f"{_OFFICE}.spreadsheetml.sheet": xlsx_text,
    f"{_OFFICE}.presentationml.presentation": pptx_text,
    "application/vnd.oasis.opendocument.text": odt_text,
    "application/epub+zip": epub_text,
    "message/rfc822": eml_text,
}
_SAVE_AS: Mapping[str, str] = {"doc": "docx", "xls": "xlsx", "ppt": "pptx", "msg": "eml", "rtf": "docx"}


def find_extract(file: File) -> Extract:
    """Who gets the text out of a file, by its extension or, where that says nothing, by its MIME type.

    Raises:
        UnsupportedFileTypeError: Nobody does.
    """
    extension = (file.extension or "").lower().removeprefix(".")
    mime_type = (file.mime_type or "").partition(";")[0].strip().lower()
    found = _BY_EXTENSION.get(extension)
    if found is None and extension not in _SAVE_AS:
        found = _BY_MIME_TYPE.get(mime_type)
        if found is None and mime_type.startswith("text/"):
            found = decode_text
    if found is not None:
        return found
    kind = f"extension {extension!r}" if extension else f"MIME type {mime_type!r}"
    advice = f"save it as {_SAVE_AS[extension]}" if extension in _SAVE_AS else "give it in another format"
    raise UnsupportedFileTypeError(f"files with the {kind} cannot be read; {advice}")
