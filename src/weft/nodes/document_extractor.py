"""The document extractor: files in, their texts out.

Source: Dify app DSL, node type ``document-extractor``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from weft.errors import NodeFailedError
from weft.nodes.config import NodeConfig, SelectorField
from weft.nodes.context import Context, NodeResult
from weft.nodes.document_download import download
from weft.nodes.document_error import TextExtractionError
from weft.nodes.document_format import find_extract
from weft.nodes.node import Node
from weft.variables import MISSING, File, Selector


class DocumentExtractorConfig(NodeConfig):
    """Which files are read."""

    variable_selector: SelectorField = ()
    is_array_file: bool = False
    """What the editor noted down; what the variable holds counts."""


class DocumentExtractorNode(Node[DocumentExtractorConfig]):
    """Reads files; its output `text` is a text for one file and a list of texts for a list of files."""

    config_type: ClassVar[type[NodeConfig]] = DocumentExtractorConfig

    def reads(self) -> Sequence[Selector]:
        """The files."""
        return (self.config.variable_selector,) if self.config.variable_selector else ()

    async def run(self, context: Context) -> NodeResult:
        """Fetch the files and get their texts out of them.

        Raises:
            NodeFailedError: The variable is missing or holds no file.
            FileDownloadError: The bytes of a file could not be had.
            UnsupportedFileTypeError: Nothing here reads files of that kind.
            TextExtractionError: A file is damaged or not what its name says.
        """
        selector = self.config.variable_selector
        name = ".".join(selector)
        value = context.pool.find(selector)
        if value is MISSING:
            raise NodeFailedError(f"variable {name!r} was not found; no node that ran has set it")
        context.inputs = {"variable_selector": list(selector)}
        items = value if isinstance(value, list) else [value]
        files = [item for item in items if isinstance(item, File)]
        if len(files) < len(items):
            raise NodeFailedError(
                f"variable {name!r} holds something else than files; choose a file variable"
            )
        context.process_data = {"documents": list(files)}
        texts = [await self._read(context, file) for file in files]
        return NodeResult({"text": list(texts) if isinstance(value, list) else texts[0]})

    async def _read(self, context: Context, file: File) -> str:
        extract = find_extract(file)
        data = await download(file, context)
        try:
            return await asyncio.to_thread(extract, data)
        except TextExtractionError as error:
            raise TextExtractionError(f"{file.filename or 'the file'}: {error}") from error
