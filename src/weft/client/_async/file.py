"""Files and sound. Source: Dify service API, `/files`, `/audio-to-text`, `/text-to-audio`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.download import AsyncDownload
from weft.client._async.session import Session
from weft.client._call import Call, given, nothing, path, send_file, send_only, texts
from weft.client._core import is_file, is_sound
from weft.client._upload import FileSource, byte_range, opened

if TYPE_CHECKING:
    from weft.wire import AudioToTextAnswer, FileUpload


class FileOperations(Session):
    """Files that go with messages, and speech."""

    async def upload_file(
        self,
        file: FileSource,
        *,
        user: str | None = None,
        filename: str | None = None,
        mime_type: str | None = None,
    ) -> FileUpload:
        """Upload a file, to be sent along with a message.

        Args:
            file: A path, an open binary file (read from where it stands), or the bytes.
            user: Whose it is, and who may send it; ``None`` is the user shared by all who give none.
            filename: Its name; needed for bytes, otherwise that of the path.
            mime_type: Its content type; ``None`` guesses it from the name.

        Returns:
            The upload; ``wire.FileInput.local(upload.id, "image")`` puts it into a message.

        Raises:
            InvalidRequestError: It cannot be read here, or is too large or of a kind that is refused there.
        """
        with opened(file, filename, mime_type) as upload:
            return await self._send(send_file(wire.FileUpload, "/files/upload", upload, user=user))

    def file_preview(
        self,
        file_id: str,
        *,
        user: str | None = None,
        as_attachment: bool = False,
        start: int | None = None,
        end: int | None = None,
    ) -> AsyncDownload:
        """Download a file that was used in a message of this app.

        Args:
            file_id: Of the upload.
            user: Who asks.
            as_attachment: Whether the answer names the file, for browsers.
            start: First byte wanted, from 0; negative means so many bytes from the end.
            end: Last byte wanted, inclusive. Only sound and video come in parts, and not from every
                server: look at `content_range`.

        Returns:
            The bytes as they arrive; nothing is sent before they are read.

        Raises:
            NotFoundError: When it is read: no such file, or it never was in a message.
            ForbiddenError: It belongs to another app.
        """
        call = Call(
            "GET",
            path("files", file_id, "preview"),
            nothing,
            texts(user=user, as_attachment=as_attachment or None),
            headers=byte_range(start, end),
        )
        return AsyncDownload(self, call, wanted="a file", is_wanted=is_file)

    async def audio_to_text(
        self,
        file: FileSource,
        *,
        user: str | None = None,
        filename: str | None = None,
        mime_type: str | None = None,
    ) -> AudioToTextAnswer:
        """Write down what is said.

        Args:
            file: A path, an open binary file, or the bytes; mp3, mp4, mpeg, mpga, m4a, wav, webm or amr.
            user: Who asks.
            filename: Its name; needed for bytes.
            mime_type: Its content type; ``None`` guesses it from the name.

        Raises:
            InvalidRequestError: The app does not listen, or the file is too large or no sound.
            UnsupportedModelError: No model can do this.
        """
        with opened(file, filename, mime_type) as upload:
            return await self._send(send_file(wire.AudioToTextAnswer, "/audio-to-text", upload, user=user))

    def text_to_audio(
        self,
        text: str | None = None,
        *,
        message_id: str | None = None,
        user: str | None = None,
        voice: str | None = None,
    ) -> AsyncDownload:
        """Speak a text or an answer.

        Args:
            text: What to say.
            message_id: The answer to say; wins over `text`.
            user: Who asks.
            voice: One of the model's voices; ``None`` is the app's.

        Returns:
            The sound as it arrives; nothing is sent before it is read.

        Raises:
            InvalidRequestError: There is nothing to say, or, when it is read, the app does not speak.
        """
        fields = given(text=text, message_id=message_id, user=user, voice=voice)
        call = send_only("POST", "/text-to-audio", wire.TextToAudioRequest, {**fields, "streaming": True})
        return AsyncDownload(self, call, wanted="sound", is_wanted=is_sound)
