"""Files that a command line gives to a run: at an address, or from this machine."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.cli.failure import BadCallError
from weft.files import category_of, clean_name
from weft.runs import Runtime, ServedApp
from weft.store import EndUser
from weft.variables import remote_file


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Brings files to where a run finds them.

    Args:
        runtime: Keeps local files, as uploads.
        served: The app that they are for.
        end_user: Whose they are.
    """

    runtime: Runtime
    served: ServedApp
    end_user: EndUser

    async def take(self, place: str, option: str) -> dict[str, object]:
        """A file as the API writes it.

        Args:
            place: Address (http, https) or path.
            option: What the command line calls it, for messages.

        Raises:
            BadCallError: It cannot be read, or is too large.
            StoreError: It could not be kept.
        """
        if place.startswith(("http://", "https://")):
            return {"type": remote_file(place).type, "transfer_method": "remote_url", "url": place}
        path = Path(place)
        name = clean_name(path.name) or "file"
        kind = category_of(name)
        limits: Mapping[str, int] = {
            "image": self.runtime.settings.limits.max_image_bytes,
            "video": self.runtime.settings.limits.max_video_bytes,
            "audio": self.runtime.settings.limits.max_audio_bytes,
        }
        limit = limits.get(kind, self.runtime.settings.limits.max_document_bytes)
        try:
            source = await asyncio.to_thread(path.open, "rb")
        except OSError as error:
            raise BadCallError(
                f"{option} {place}: {error.strerror or error}; give a file, or an http or https address"
            ) from error
        with source:
            size = source.seek(0, 2)
            source.seek(0)
            if size > limit:
                raise BadCallError(f"{option} {place}: it has {size} bytes, and {kind}s may have {limit}")
            mime_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            row = await self.runtime.files.upload(
                self.served.app, self.end_user, name, mime_type, source, size
            )
        return {"type": kind, "transfer_method": "local_file", "upload_file_id": row.id}

    async def take_all(self, places: Sequence[str], option: str) -> list[dict[str, object]]:
        """Several files."""
        return [await self.take(place, option) for place in places]
