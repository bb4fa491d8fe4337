"""Documents that are a ZIP of XML files, opened so that small ones cannot become huge."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from weft.nodes.document_error import TextExtractionError

MAX_PLAIN_BYTES = 100 * 1024 * 1024
"""All members of a package together, decompressed."""
MAX_MEMBERS = 10_000


class Package:
    """The members of a ZIP file.

    Args:
        data: The whole file.

    Raises:
        TextExtractionError: It is no ZIP file, is encrypted, or becomes too large.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise TextExtractionError(f"the file is damaged or of another kind: {error}") from error
        members = self._zip.infolist()
        # Reading never goes beyond the size that a member declares, so that the declared sizes are a bound.
        if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_PLAIN_BYTES:
            raise TextExtractionError(
                f"the file has more than {MAX_MEMBERS} parts, or more than "
                f"{MAX_PLAIN_BYTES // (1024 * 1024)} MiB when it is unpacked"
            )

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """A member's bytes.

        Raises:
            TextExtractionError: It is missing, damaged or encrypted.
        """
        try:
            return self._zip.read(name)
        except KeyError:
            raise TextExtractionError(f"the file is of another kind: it has no part {name!r}") from None
        except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError) as error:
            raise TextExtractionError(f"the part {name!r} of the file cannot be read: {error}") from error

    def xml(self, name: str) -> Element:
        """The root element of a member.

        Raises:
            TextExtractionError: It is missing or no XML, or defines a document type of its own.
        """
        parser = XMLParser(target=_Builder())  # noqa: S314  # entities need a DTD, which is refused
        try:
            parser.feed(self.read(name))
            root: Element = parser.close()
        except (ParseError, ValueError) as error:
            raise TextExtractionError(f"the part {name!r} of the file is no XML: {error}") from error
        return root

    def related(self, name: str) -> dict[str, str]:
        """Members that an Office member refers to, by the id of the relation."""
        folder, base = posixpath.split(name)
        relations = posixpath.join(folder, "_rels", f"{base}.rels")
        if relations not in self:
            return {}
        return {
            relation.get("Id", ""): beside(name, relation.get("Target", ""))
            for relation in self.xml(relations)
            if relation.get("TargetMode") != "External"
        }


class _Builder(TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it has a document type definition")


def beside(name: str, reference: str) -> str:
    """The member that a reference inside of another member means."""
    path = unquote(reference.partition("#")[0])
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(name), path)).lstrip("/")


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def walk(root: Element, skip: frozenset[str] = frozenset()) -> Iterator[tuple[Element, bool]]:
    """Elements in document order, each when it begins (``True``) and when it ends; without those in `skip`.

    Depth is bounded by memory, not by the stack.
    """
    waiting: list[tuple[Element, bool]] = [(root, True)]
    while waiting:
        element, begins = waiting.pop()
        yield element, begins
        if begins:
            waiting.append((element, False))
            waiting.extend((child, True) for child in reversed(element) if local(child) not in skip)
