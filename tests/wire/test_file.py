from __future__ import annotations

import pytest

from weft import wire
from weft.errors import InvalidRequestError

UUID = "01234567-89ab-4def-8123-456789abcdef"


def test_files_are_read_and_incomplete_ones_skipped() -> None:
    items = [
        {"type": "image", "transfer_method": "local_file", "upload_file_id": UUID.upper()},
        {"transfer_method": "remote_url", "remote_url": "https://x/a.pdf"},
        wire.FileInput.local(UUID, "audio"),
        {},
        None,
        {"type": "image", "upload_file_id": UUID},
        {"type": "image", "transfer_method": "remote_url"},
    ]
    assert wire.parse_file_inputs(items) == [
        wire.FileInput(type="image", transfer_method="local_file", upload_file_id=UUID),
        wire.FileInput(transfer_method="remote_url", url="https://x/a.pdf"),
        wire.FileInput(type="audio", transfer_method="local_file", upload_file_id=UUID),
    ]
    assert wire.parse_file_inputs(None) == []


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("nonsense", "files[0] must be an object"),
        ({"transfer_method": "mail"}, "files[0].transfer_method must be one of: remote_url, local_file"),
        ({"transfer_method": ["a"]}, "files[0].transfer_method must be one of: remote_url, local_file"),
        (
            {"transfer_method": "local_file", "type": "book"},
            "files[0].type must be one of: image, document, audio, video, custom",
        ),
        ({"transfer_method": "local_file"}, "Invalid upload file id"),
        ({"transfer_method": "local_file", "upload_file_id": "abc"}, "Invalid upload file id format"),
        ({"transfer_method": "local_file", "upload_file_id": 5}, "Invalid upload file id format"),
        (
            {"transfer_method": "remote_url", "url": "https://x", "upload_file_id": "abc"},
            "Invalid upload file id format",
        ),
        ({"transfer_method": "remote_url", "url": 5}, "files[0].url must be a string"),
    ],
)
def test_a_bad_file_is_refused(item: object, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        wire.parse_file_inputs([item])
    assert str(caught.value) == message


def test_an_upload_tells_when_it_was_made() -> None:
    upload = wire.FileUpload(id="f1", name="a.png", size=3, created_at=0)
    assert upload.created_datetime == wire.parse_instant("1970-01-01")
    assert upload.preview_url is None
