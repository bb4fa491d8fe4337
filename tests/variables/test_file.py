from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.variables import File, FileType, kind_of, remote_file

TEXTS = st.none() | st.text()
FILES = st.builds(
    File,
    id=TEXTS,
    tenant_id=TEXTS,
    type=st.sampled_from(["image", "document", "audio", "video", "custom"]),
    transfer_method=st.sampled_from(["remote_url", "local_file", "tool_file", "datasource_file"]),
    remote_url=TEXTS,
    related_id=TEXTS,
    filename=TEXTS,
    extension=TEXTS,
    mime_type=TEXTS,
    size=st.none() | st.integers(-1, 2**60),
    url=TEXTS,
)


@settings(deadline=None)
@given(FILES)
def test_a_file_survives_json(file: File) -> None:
    assert msgspec.json.decode(msgspec.json.encode(file), type=File) == file


def test_a_file_says_in_json_what_it_is() -> None:
    assert msgspec.json.decode(msgspec.json.encode(File(filename="a.png"))) == {
        "dify_model_identity": "__dify__file__",
        "id": None,
        "tenant_id": None,
        "type": "custom",
        "transfer_method": "remote_url",
        "remote_url": None,
        "related_id": None,
        "filename": "a.png",
        "extension": None,
        "mime_type": None,
        "size": None,
        "url": None,
    }


def remote(name: str, kind: FileType, mime_type: str | None, extension: str, url: str) -> File:
    return File(
        type=kind,
        transfer_method="remote_url",
        remote_url=url,
        url=url,
        filename=name,
        extension=extension,
        mime_type=mime_type,
    )


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("https://e.org/a/b.PNG?x=1#y", ("b.PNG", "image", "image/png", ".png")),
        ("https://e.org/Gr%C3%BC%C3%9Fe.pdf", ("Grüße.pdf", "document", "application/pdf", ".pdf")),
        ("https://e.org/a.tar.gz", ("a.tar.gz", "document", "application/x-tar", ".gz")),
        ("https://e.org/song.mp3", ("song.mp3", "audio", "audio/mpeg", ".mp3")),
        ("https://e.org/film.mp4", ("film.mp4", "video", "video/mp4", ".mp4")),
        ("https://e.org/notes", ("notes", "custom", None, "")),
        ("https://e.org/.hidden", (".hidden", "custom", None, "")),
        ("https://e.org/", ("file", "custom", None, "")),
        ("https://e.org", ("file", "custom", None, "")),
    ],
)
def test_name_and_kind_are_read_off_the_address(
    url: str, file: tuple[str, FileType, str | None, str]
) -> None:
    name, kind, mime_type, extension = file
    assert remote_file(url) == remote(name, kind, mime_type, extension, url)


def test_a_kind_that_is_given_is_believed() -> None:
    assert remote_file("https://e.org/a.png", type="document", id="1").type == "document"


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [
        ("image/png", "image"),
        ("audio/mpeg", "audio"),
        ("video/mp4", "video"),
        ("text/plain", "document"),
        ("application/octet-stream", "document"),
        ("", "custom"),
        (None, "custom"),
    ],
)
def test_a_mime_type_stands_for_a_kind(mime_type: str | None, kind: FileType) -> None:
    assert kind_of(mime_type) == kind


def test_an_address_is_found_wherever_it_stands() -> None:
    assert [
        file.link for file in (File(url="a", remote_url="b"), File(remote_url="b"), File(filename="x"))
    ] == ["a", "b", ""]
