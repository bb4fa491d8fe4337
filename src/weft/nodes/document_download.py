"""The bytes of a file, from wherever it lies."""

from __future__ import annotations

from weft.egress import Egress, EgressError, EgressRequest
from weft.nodes.document_error import FileDownloadError
from weft.variables import File

_FAILED = 400


async def download(file: File, egress: Egress) -> bytes:
    """The bytes of a file from its address, at most as many as the way out lets through.

    Raises:
        FileDownloadError: It has no address, the address may not be reached, or what answers has not got it.
    """
    name = file.filename or "the file"
    if not file.link:
        raise FileDownloadError(f"{name} has no address that it could be fetched from")
    try:
        async with egress.request(EgressRequest(method="GET", url=file.link)) as response:
            if response.status >= _FAILED:
                raise FileDownloadError(
                    f"{name} could not be fetched: {response.origin} answered with status {response.status}"
                )
            return await response.read(egress.config.max_file_bytes)
    except EgressError as error:
        raise FileDownloadError(f"{name} could not be fetched: {error}") from error
