"""Files that come with a message. Source: Dify service API, files in the request."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.harness import answer, start
from tests.runs.house import House
from weft.errors import InvalidRequestError
from weft.ids import SequentialIds
from weft.runs import UploadRules
from weft.runs.request_file import message_files
from weft.store import MessageFile
from weft.variables import File

ALL = UploadRules(enabled=True)


def remote(name: str = "a.png", kind: str | None = "image", **more: Any) -> dict[str, Any]:
    given = {"transfer_method": "remote_url", "url": f"https://e.org/{name}", **more}
    return given if kind is None else {"type": kind, **given}


def files(*given: object, rules: UploadRules = ALL) -> list[File]:
    return message_files(given, rules, SequentialIds())


def refusal(*given: object, rules: UploadRules = ALL) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        files(*given, rules=rules)
    assert list(caught.value.fields) == ["files"]
    return str(caught.value)


def test_a_remote_file_is_described_by_its_address_alone() -> None:
    assert files(remote("dir/Bild%201.PNG?x=1")) == [
        File(
            id="00000000-0000-7000-8000-000000000001",
            type="image",
            transfer_method="remote_url",
            remote_url="https://e.org/dir/Bild%201.PNG?x=1",
            url="https://e.org/dir/Bild%201.PNG?x=1",
            filename="Bild 1.PNG",
            extension=".png",
            mime_type="image/png",
        )
    ]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(remote("a.png", "document"), "document", id="believed-as-given"),
        pytest.param(remote("a.png", "custom"), "image", id="custom-is-derived"),
        pytest.param(remote("a.mp3", None), "audio", id="none-is-derived"),
        pytest.param(remote("notes", None), "custom", id="nothing-to-derive-it-from"),
    ],
)
def test_the_kind_of_a_file(given: dict[str, Any], kind: str) -> None:
    assert [file.type for file in files(given)] == [kind]


def test_an_address_may_be_called_remote_url_too() -> None:
    (file,) = files({"type": "image", "transfer_method": "remote_url", "remote_url": "http://e.org/b.png"})
    assert file.url == "http://e.org/b.png"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="empty"),
        pytest.param({"type": "image", "url": "https://e.org/a.png"}, id="no-transfer-method"),
        pytest.param({"type": "image", "transfer_method": "remote_url"}, id="no-address"),
        pytest.param({"type": "image", "transfer_method": "remote_url", "url": ""}, id="empty-address"),
        pytest.param({"type": "image", "transfer_method": "remote_url", "url": 5}, id="number-for-address"),
        pytest.param("a.png", id="text"),
        pytest.param(None, id="null"),
        pytest.param([], id="list"),
    ],
)
def test_an_item_that_says_too_little_is_skipped(given: object) -> None:
    assert files(given, remote()) == files(remote())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            remote(transfer_method="pigeon"),
            "transfer_method 'pigeon' is not one of remote_url, local_file, tool_file, datasource_file",
            id="method",
        ),
        pytest.param(
            remote(transfer_method=["x"]),
            "transfer_method ['x'] is not one of remote_url, local_file, tool_file, datasource_file",
            id="method-of-another-type",
        ),
        pytest.param(
            remote(kind="film"), "type 'film' is not one of image, document, audio, video, custom", id="type"
        ),
        pytest.param(
            {"type": "image", "transfer_method": "local_file"}, "Invalid upload file id", id="no-upload"
        ),
        pytest.param(
            {"type": "image", "transfer_method": "local_file", "upload_file_id": "abc"},
            "Invalid upload file id format",
            id="malformed-upload",
        ),
        pytest.param(
            {"type": "image", "transfer_method": "local_file", "upload_file_id": 5},
            "Invalid upload file id format",
            id="upload-of-another-type",
        ),
        pytest.param(
            {"type": "image", "transfer_method": "local_file", "upload_file_id": str(uuid4())},
            "Invalid upload file",
            id="unknown-upload",
        ),
        pytest.param(
            remote(upload_file_id="abc"), "Invalid upload file id format", id="upload-beside-address"
        ),
        pytest.param(
            remote() | {"url": "ftp://e.org/a"},
            "url 'ftp://e.org/a' does not start with http:// or https://",
            id="another-protocol",
        ),
        pytest.param(
            remote() | {"url": "http://[e.org/a"},
            "url 'http://[e.org/a' is not an address: Invalid IPv6 URL",
            id="no-address",
        ),
    ],
)
def test_an_item_that_is_wrong_is_refused(given: dict[str, Any], message: str) -> None:
    assert refusal(given) == message


TEXTS = st.text(max_size=12) | st.sampled_from(["[", "//[", "%2F%2F%5B", "a/b", "\x00", "%00", "..", "?#"])
ITEMS = st.dictionaries(
    st.sampled_from(["type", "transfer_method", "url", "remote_url", "upload_file_id"]),
    st.one_of(
        st.none(),
        st.sampled_from(["image", "custom", "remote_url", "local_file"]),
        TEXTS.map(lambda text: f"https://e.org/{text}"),
        TEXTS.map(lambda text: f"http://{text}"),
        st.lists(st.integers(), max_size=1),
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(ITEMS, max_size=3))
def test_whatever_is_sent_it_is_taken_skipped_or_refused(given: list[dict[str, Any]]) -> None:
    try:
        made = files(*given)
    except InvalidRequestError:
        return
    assert all(isinstance(file, File) for file in made)


def test_where_files_are_off_they_are_ignored_without_a_look() -> None:
    assert files(5, remote(transfer_method="pigeon"), *([remote()] * 9), rules=UploadRules()) == []


@pytest.mark.parametrize(
    ("rules", "given", "allowed"),
    [
        pytest.param({"allowed_types": ("image",)}, remote(), True, id="type"),
        pytest.param({"allowed_types": ("image",)}, remote("a.mp3", "audio"), False, id="other-type"),
        pytest.param({"allowed_types": ("image",)}, remote("a.x", "custom"), True, id="custom-type-passes"),
        pytest.param({"allowed_extensions": (".png",)}, remote("a.PNG", "custom"), True, id="extension"),
        pytest.param({"allowed_extensions": (".png",)}, remote("a.x", "custom"), False, id="other-extension"),
        pytest.param({"allowed_extensions": (".png",)}, remote("a.x", None), False, id="no-type-is-custom"),
        pytest.param(
            {"allowed_extensions": (".png",)}, remote("a.x", "image"), True, id="typed-has-no-extension-rule"
        ),
        pytest.param({"allowed_methods": ("remote_url",)}, remote(), True, id="method"),
        pytest.param({"allowed_methods": ("local_file",)}, remote(), False, id="other-method"),
        pytest.param({}, remote(), True, id="no-rules"),
    ],
)
def test_the_app_says_which_files_it_takes(rules: Any, given: dict[str, Any], allowed: bool) -> None:
    upload_rules = UploadRules(enabled=True, **rules)
    if allowed:
        assert len(files(given, rules=upload_rules)) == 1
    else:
        name = given["url"].rpartition("/")[2]
        assert refusal(given, rules=upload_rules) == f"File validation failed for file: {name}"


def test_the_app_says_how_many_files_it_takes() -> None:
    three = UploadRules(enabled=True)
    document = remote("a.pdf", "document")
    assert len(files(*([remote()] * 3), rules=three)) == 3
    assert refusal(*([remote()] * 4), rules=three) == "Number of image files exceeds the maximum limit 3"
    assert refusal(*([remote()] * 3), document, rules=three) == "Number of files exceeds the maximum limit 3"
    one = UploadRules(enabled=True, number_limits=1)
    assert refusal(document, document, rules=one) == "Number of files exceeds the maximum limit 1"


@pytest.mark.anyio
async def test_files_are_in_the_system_variable_and_stored_with_the_message(house: House) -> None:
    features = {"file_upload": {"enabled": True, "number_limits": 2}}
    version = await house.serve(
        {"start": start(), "a": answer("{{#sys.files#}}")}, "start > a", features=features
    )
    heard = await house.ask(version, files=[remote(), remote("b.pdf", "document")])
    assert heard.answer == "![a.png](https://e.org/a.png)\n[b.pdf](https://e.org/b.pdf)"
    message = heard.live.message
    assert message is not None
    assert list(await house.message_files(heard)) == [
        MessageFile(
            id=row.id,
            message_id=message.id,
            type="image" if name == "a.png" else "document",
            transfer_method="remote_url",
            belongs_to="user",
            created_at=house.clock.now(),
            url=f"https://e.org/{name}",
            name=name,
            mime_type="image/png" if name == "a.png" else "application/pdf",
        )
        for name, row in zip(("a.png", "b.pdf"), await house.message_files(heard), strict=True)
    ]


@pytest.mark.anyio
async def test_a_refused_file_leaves_nothing_behind(house: House) -> None:
    features = {"file_upload": {"enabled": True}}
    version = await house.serve({"start": start(), "a": answer("x")}, "start > a", features=features)
    with pytest.raises(InvalidRequestError):
        await house.start(version, files=[remote(kind="film")])
    first = await house.ask(version)
    assert (await house.conversation_row(first)).dialogue_count == 1
    assert len(house.runner.live) == 0
