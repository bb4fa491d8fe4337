"""A multipart body for services that want a file."""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNFIT = re.compile(r'[\x00-\x1f"\\\x7f]')


def encode_form(
    fields: Mapping[str, str], *, name: str, filename: str, media_type: str, data: bytes, boundary: str
) -> bytes:
    """Fields and one file as multipart/form-data.

    Args:
        fields: Texts by name.
        name: The file's field.
        filename: What the service is told; what would break the header is replaced.
        media_type: The file's.
        data: The file's bytes.
        boundary: Must not occur in any of it; 128 random bits do not.

    Source: RFC 7578.
    """
    lead = f"--{boundary}\r\nContent-Disposition: form-data; name="
    texts = "".join(f'{lead}"{key}"\r\n\r\n{value}\r\n' for key, value in fields.items())
    safe, kind = _UNFIT.sub("_", filename), _UNFIT.sub("_", media_type)
    head = f'{texts}{lead}"{name}"; filename="{safe}"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode("utf-8", "replace") + data + f"\r\n--{boundary}--\r\n".encode()
