"""The bytes of a file, from wherever it lies."""

from __future__ import annotations

from weft.egress import EgressError, EgressRequest
from weft.nodes.context import Context
from weft.nodes.document_error import FileDownloadError
from weft.nodes.kept_file import KeptFileError, is_kept
from weft.variables import File

_FAILED = 400


async def download(file: File, context: Context) -> bytes:
    """The bytes of a file: from where this server keeps it, or from its address.

    A kept file has at most `limits.max_node_file_bytes`, another one as many as the way out lets through.

    Raises:
        FileDownloadError: It is not kept any more or not for this run; it has no address, the address may not
            be reached, or what answers has not got it.
    """
    name, egress = file.filename or "the file", context.services.egress
    if is_kept(file):
        try:
            limit = context.services.limits.max_node_file_bytes
            return (await context.services.files.read(file, context.run, max_bytes=limit)).data
        except KeptFileError as error:
            raise FileDownloadError(f"{name} could not be read: {error}") from error
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
