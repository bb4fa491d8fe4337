"""Uploads, previews and signed links. Source: Dify service API, files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import boto3  # type: ignore[import-untyped]  # it has no types
import pytest
from moto.server import ThreadedMotoServer

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.house import House, open_house
from tests.contract.uploads import PNG, FormPart, fetched, file_part, local, send, uploaded, used
from weft.errors import ConfigError
from weft.store import files
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


@pytest.mark.requirement("api-156")
async def test_an_upload_is_described(flow: Caller, user: str, house: House) -> None:
    shown = await uploaded(flow, "a.png", user=user)
    said = await flow.said("hi", user=user)
    (message,) = await flow.messages(said["conversation_id"], user=user)
    assert message["message_files"] == []
    row = await house.runtime.store.read(lambda connection: files.find(connection, shown["id"]))
    assert row is not None
    assert shown == {
        "id": row.id,
        "name": "a.png",
        "size": len(PNG),
        "extension": "png",
        "mime_type": "image/png",
        "created_by": house.runtime.end_users.find(flow.app_id, user).id,  # type: ignore[union-attr]
        "created_at": int(row.created_at.timestamp()),
        "preview_url": None,
        "source_url": shown["source_url"],
        "original_url": None,
        "user_id": None,
        "tenant_id": row.workspace_id,
        "conversation_id": None,
        "file_key": None,
    }
    assert (await fetched(shown["source_url"])).body == PNG
    assert row.source_url is None


REFUSED = [
    pytest.param(
        [FormPart(b"x", "other")],
        (400, "no_file_uploaded", "Please upload your file."),
        marks=pytest.mark.requirement("api-157"),
        id="no-file",
    ),
    pytest.param(
        [FormPart(b"x", "file")],
        (400, "no_file_uploaded", "Please upload your file."),
        marks=pytest.mark.requirement("api-157"),
        id="field-instead",
    ),
    pytest.param(
        [FormPart(b"x", "other", "a.png", "image/png")],
        (400, "no_file_uploaded", "Please upload your file."),
        id="file-of-another-name",
    ),
    pytest.param(
        [file_part(), file_part()],
        (400, "too_many_files", "Only one file is allowed."),
        marks=pytest.mark.requirement("api-158"),
        id="two",
    ),
    pytest.param(
        [file_part(), FormPart(b"x", "other", "b.png", "image/png")],
        (400, "too_many_files", "Only one file is allowed."),
        marks=pytest.mark.requirement("api-158"),
        id="two-of-different-names",
    ),
    pytest.param(
        [file_part("", type=None), file_part()],
        (400, "too_many_files", "Only one file is allowed."),
        id="two-and-worse",
    ),
    pytest.param(
        [file_part("", type=None)],
        (415, "unsupported_file_type", "File type not allowed."),
        id="no-type-and-no-name",
    ),
    pytest.param(
        [file_part("")],
        (400, "filename_not_exists_error", "The specified filename does not exist."),
        marks=pytest.mark.requirement("api-159"),
        id="no-name",
    ),
    pytest.param(
        [file_part("\u202e\u0085 ")],
        (400, "filename_not_exists_error", "The specified filename does not exist."),
        id="nothing-visible-in-its-name",
    ),
    pytest.param(
        [file_part("a:b.txt", b"x" * (10 * MIB), "text/plain")],
        (400, "invalid_param", "Filename contains invalid characters"),
        marks=pytest.mark.requirement("api-160"),
        id="colon",
    ),
    *(
        pytest.param(
            [file_part(name)],
            (400, "invalid_param", "Filename contains invalid characters"),
            id=f"name-{name}",
        )
        for name in ("../../etc/passwd", "..\\\\x.png", "a*.png", "a?.png", "<a>.png", "a|b.png", "/")
    ),
]


@pytest.mark.parametrize(("parts", "error"), REFUSED)
async def test_a_form_that_is_no_upload_is_refused(
    flow: Caller, parts: list[FormPart], error: tuple[int, str, str]
) -> None:
    assert (await send(flow, parts)).error == error


async def test_another_body_holds_no_file(flow: Caller) -> None:
    assert (await flow.post("/files/upload", {"file": "a.png"})).error[:2] == (400, "no_file_uploaded")


async def test_who_sends_a_file_is_looked_at_before_the_file(flow: Caller) -> None:
    assert (await send(flow, [], user="x" * 256)).error[:2] == (400, "invalid_param")


async def test_without_a_key_nothing_is_taken(flow: Caller) -> None:
    reply = await flow.call(
        "POST", "/files/upload", data=b"", headers={"content-type": "multipart/form-data"}
    )
    assert reply.error[:2] == (401, "unauthorized")


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        pytest.param("a.png", 10 * MIB, marks=pytest.mark.requirement("api-161")),
        pytest.param("a.txt", 15 * MIB, marks=pytest.mark.requirement("api-163")),
    ],
)
async def test_a_file_has_the_size_of_its_category_at_the_most(flow: Caller, name: str, limit: int) -> None:
    content = bytes(limit + 1)
    refused = await send(flow, [file_part(name, content)])
    assert refused.error == (413, "file_too_large", "File size exceeded.")
    assert (await uploaded(flow, name, content[:-1]))["size"] == limit


async def test_the_settings_say_how_large_files_may_be(folder: Path) -> None:
    limits = {
        "max_image_bytes": 2 * MIB,
        "max_video_bytes": 5 * MIB,
        "max_audio_bytes": 3 * MIB,
        "max_document_bytes": 4 * MIB,
        "max_upload_files": 7,
    }
    async with open_house(folder, limits=limits) as house:
        flow = await house.serve(apps.echo_flow())
        assert (await flow.get("/parameters")).ok["system_parameters"] == {
            "image_file_size_limit": 2,
            "video_file_size_limit": 5,
            "audio_file_size_limit": 3,
            "file_size_limit": 4,
            "workflow_file_upload_limit": 7,
        }
        for name, limit in (("a.SVG", 2), ("a.webm", 5), ("a.wav", 3), ("a", 4)):
            refused = await send(flow, [file_part(name, bytes(limit * MIB + 1))])
            assert refused.error == (413, "file_too_large", "File size exceeded."), name
            assert (await uploaded(flow, name, bytes(limit * MIB)))["size"] == limit * MIB
        whole = await send(flow, [file_part("a.webm", bytes(7 * MIB))])
        assert whole.error == (413, "file_too_large", "File size exceeded.")


async def test_the_settings_say_which_extensions_are_blocked(folder: Path) -> None:
    async with open_house(folder, server={"blocked_extensions": "exe, .BAT"}) as house:
        flow = await house.serve(apps.echo_flow())
        for name, extension in (("a.exe", "exe"), ("a.tar.Bat", "bat")):
            assert (await send(flow, [file_part(name)])).error == (
                400,
                "invalid_param",
                f"File extension '.{extension}' is not allowed for security reasons",
            )
        assert (await uploaded(flow, "exe"))["extension"] == ""


@pytest.mark.parametrize(
    ("name", "kept", "extension"),
    [
        pytest.param("x.zip", "x.zip", "zip", marks=pytest.mark.requirement("api-162")),
        pytest.param("Übersicht 図.png", "Übersicht 図.png", "png", marks=pytest.mark.requirement("api-164")),
        pytest.param("🦔👨‍👩‍👧.PNG", "🦔👨‍👩‍👧.PNG", "png", marks=pytest.mark.requirement("api-164")),
        pytest.param("noextension", "noextension", ""),
        pytest.param(".htaccess", ".htaccess", "htaccess"),
        pytest.param("gnp\u202etxt.exe", "gnptxt.exe", "exe", id="reads-backwards"),
        pytest.param("a\x07b\x7f.txt", "ab.txt", "txt", id="controls"),
        pytest.param("x" * 250 + ".tar.gz", "x" * 200 + ".gz", "gz", id="long"),
    ],
)
async def test_a_file_may_be_called_nearly_anything(
    flow: Caller, user: str, name: str, kept: str, extension: str
) -> None:
    shown = await uploaded(flow, name, b"x", "application/x-anything", user=user)
    assert (shown["name"], shown["extension"], shown["mime_type"]) == (
        kept,
        extension,
        "application/x-anything",
    )
    reply = await fetched(shown["source_url"] + "&as_attachment=true")
    assert reply.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(kept, safe='')}"


async def test_an_empty_file_is_a_file(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, "a.png", b"", user=user)
    row = await used(flow, shown, user=user)
    assert (shown["size"], row["size"]) == (0, 0)
    reply = await flow.get(f"/files/{shown['id']}/preview")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")


# Previews


@pytest.mark.requirement("api-165")
async def test_a_file_that_no_message_shows_has_no_preview(flow: Caller, user: str) -> None:
    absent = (404, "file_not_found", "File not found in message context")
    shown = await uploaded(flow, user=user)
    assert (await flow.get(f"/files/{shown['id']}/preview")).error == absent
    assert (await flow.get(f"/files/{uuid4()}/preview")).error == absent


@pytest.mark.requirement("api-166")
async def test_a_file_of_a_message_has_a_preview(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    await used(flow, shown, user=user)
    reply = await flow.get(f"/files/{shown['id']}/preview")
    assert (reply.status, reply.body) == (200, PNG)
    assert headers_of(reply.headers) == {
        "content-type": "image/png",
        "content-length": str(len(PNG)),
        "cache-control": "public, max-age=3600",
        "x-content-type-options": "nosniff",
    }
    head = await flow.call("HEAD", f"/files/{shown['id']}/preview")
    assert (head.status, head.body, headers_of(head.headers)) == (200, b"", headers_of(reply.headers))


def headers_of(headers: Any) -> dict[str, str]:
    """Those that tell of a file."""
    names = (
        "content-type",
        "content-length",
        "content-range",
        "content-disposition",
        "content-security-policy",
        "cache-control",
        "accept-ranges",
        "x-content-type-options",
    )
    return {name: headers[name] for name in names if name in headers}


@pytest.mark.requirement("api-167")
async def test_a_preview_can_be_an_attachment(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, "Über uns.png", user=user)
    await used(flow, shown, user=user)
    reply = await flow.get(f"/files/{shown['id']}/preview", as_attachment="true")
    assert (reply.status, reply.body) == (200, PNG)
    assert headers_of(reply.headers) == {
        "content-type": "application/octet-stream",
        "content-length": str(len(PNG)),
        "content-disposition": "attachment; filename*=UTF-8''%C3%9Cber%20uns.png",
        "cache-control": "public, max-age=3600",
        "x-content-type-options": "nosniff",
    }


@pytest.mark.requirement("api-168")
async def test_the_key_of_another_app_sees_no_preview(flow: Caller, plain: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    await used(flow, shown, user=user)
    assert (await plain.get(f"/files/{shown['id']}/preview")).error == (
        403,
        "file_access_denied",
        "File access denied: not owned by requesting app",
    )


@pytest.mark.requirement("api-169")
async def test_whether_it_is_an_attachment_is_yes_or_no(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    await used(flow, shown, user=user)
    reply = await flow.get(f"/files/{shown['id']}/preview", as_attachment="maybe")
    assert reply.error[:2] == (400, "invalid_param")


@pytest.mark.requirement("api-12")
@pytest.mark.parametrize("id", ["abc", "..%2f..%2fsecret", "%00", "x" * 5000])
async def test_what_is_no_id_is_no_file(flow: Caller, id: str) -> None:
    for path in (f"/v1/files/{id}/preview", f"/files/{id}/file-preview?timestamp=1&nonce=a&sign=b"):
        reply = await fetched(flow.url.removesuffix("/v1") + path, authorization=f"Bearer {flow.key}")
        assert reply.error[:2] == (404, "not_found"), path


@pytest.mark.requirement("api-170")
@pytest.mark.parametrize(
    ("name", "type"),
    [("a.html", "text/plain"), ("a.HTM", "image/png"), ("a.txt", "text/html; charset=utf-8")],
)
async def test_html_is_always_an_attachment(flow: Caller, user: str, name: str, type: str) -> None:
    shown = await uploaded(flow, name, b"<script>alert(1)</script>", type, user=user)
    await used(flow, shown, user=user, type="document")
    for reply in (await flow.get(f"/files/{shown['id']}/preview"), await fetched(shown["source_url"])):
        assert reply.status == 200
        assert reply.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
        assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("type", ["image/svg+xml", "text/xml", "application/xml"])
async def test_what_may_hold_a_script_runs_none(flow: Caller, user: str, type: str) -> None:
    shown = await uploaded(flow, "a.svg", b"<svg/>", type, user=user)
    reply = await fetched(shown["source_url"])
    assert reply.headers["content-type"] == type
    assert "sandbox" in reply.headers["content-security-policy"]


@pytest.mark.parametrize("type", ["nonsense", "image/png; x=\x01", "a/b/c", "image/png;;", "ä/ö", "<b>/x"])
async def test_a_type_that_is_none_is_told_as_bytes(flow: Caller, user: str, type: str) -> None:
    shown = await uploaded(flow, "a.bin", b"x", type, user=user)
    assert (await fetched(shown["source_url"])).headers["content-type"] == "application/octet-stream"


async def test_a_wrong_type_is_no_error(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, "a.png", b"no picture at all", "audio/wav", user=user)
    row = await used(flow, shown, user=user, type="document")
    assert (row["type"], row["mime_type"]) == ("document", "audio/wav")


# Ranges


@pytest.fixture
async def wav(flow: Caller, user: str) -> str:
    """The path of a recording of 1000 bytes that a message shows."""
    shown = await uploaded(flow, "a.wav", bytes(i % 251 for i in range(1000)), "audio/wav", user=user)
    await used(flow, shown, user=user, type="document")
    return f"/files/{shown['id']}/preview"


WHOLE = bytes(i % 251 for i in range(1000))


async def range_of(flow: Caller, path: str, wanted: str, **headers: str) -> Any:
    return await flow.call(
        "GET", path, headers={"authorization": f"Bearer {flow.key}", "range": wanted, **headers}
    )


@pytest.mark.requirement("api-171")
@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=990-", 990, 1000),
        ("bytes=-10", 990, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=5-5", 5, 6),
        ("bytes=0-999999999999999999", 0, 1000),
        ("bytes= 3 - 7 ", 3, 8),
    ],
)
async def test_a_range_of_a_recording_can_be_had(
    flow: Caller, wav: str, wanted: str, start: int, end: int
) -> None:
    reply = await range_of(flow, wav, wanted)
    assert (reply.status, reply.body) == (206, WHOLE[start:end])
    assert headers_of(reply.headers) == {
        "content-type": "audio/wav",
        "content-length": str(end - start),
        "content-range": f"bytes {start}-{end - 1}/1000",
        "cache-control": "public, max-age=3600",
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes=0-1,3-4",
        "bytes=9-3",
        "bytes=-",
        "bytes=a-b",
        "lines=0-1",
        "bytes=0-1-2",
        "bytes=" + ",".join(["0-"] * 1000),
        "bytes=-1-5",
        "bytes=" + "9" * 40 + "-",
    ],
)
async def test_a_range_that_makes_no_sense_is_the_whole(flow: Caller, wav: str, wanted: str) -> None:
    reply = await range_of(flow, wav, wanted)
    assert (reply.status, reply.body, reply.headers["accept-ranges"]) == (200, WHOLE, "bytes")


async def test_a_range_of_a_version_is_the_whole(flow: Caller, wav: str) -> None:
    reply = await range_of(flow, wav, "bytes=0-9", **{"if-range": '"x"'})
    assert (reply.status, reply.body) == (200, WHOLE)


@pytest.mark.parametrize("wanted", ["bytes=1000-", "bytes=1000-1001", "bytes=-0"])
async def test_a_range_behind_the_end_cannot_be_had(flow: Caller, wav: str, wanted: str) -> None:
    reply = await range_of(flow, wav, wanted)
    assert reply.error[:2] == (416, "range_not_satisfiable")
    assert reply.headers["content-range"] == "bytes */1000"


async def test_other_files_come_whole(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    reply = await fetched(shown["source_url"], range="bytes=0-9")
    assert (reply.status, reply.body, "accept-ranges" in reply.headers) == (200, PNG, False)


async def test_a_large_file_comes_as_it_was_sent(flow: Caller, user: str) -> None:
    content = b"".join(number.to_bytes(4, "big") for number in range(2 * MIB)) + b"end"
    shown = await uploaded(flow, "a.pdf", content, "application/pdf", user=user)
    assert (await fetched(shown["source_url"])).body == content


# Links


@pytest.mark.requirement("api-172")
async def test_a_link_is_good_for_five_minutes_and_only_as_it_was_made(folder: Path) -> None:
    clock = FrozenClock(holds=True)
    async with open_house(folder, clock=clock) as house:
        flow = await house.serve(apps.echo_flow())
        shown = await uploaded(flow)
        link = shown["source_url"]
        base = house.serving.url
        assert re.fullmatch(
            re.escape(f"{base}/files/{shown['id']}/file-preview?timestamp={int(clock.now().timestamp())}")
            + r"&nonce=[0-9a-f]{32}&sign=[\w-]{43}=",
            link,
        )
        reply = await fetched(link)
        assert (reply.status, reply.body) == (200, PNG)
        assert headers_of(reply.headers) == {
            "content-type": "image/png",
            "content-length": str(len(PNG)),
            "x-content-type-options": "nosniff",
        }
        absent = (404, "not_found", "File not found or signature is invalid")
        other = await uploaded(flow)
        at = int(clock.now().timestamp())
        for wrong in (
            link[:-2] + ("A" if link[-2] != "A" else "B") + "=",
            link.replace("sign=", "sign=A"),
            link[:-1],
            link + "%00",
            link[: link.index("sign=")] + "sign=%C3%A4%F0%9F%92%A5",
            link.replace("nonce=", "nonce=0"),
            link.replace(shown["id"], other["id"]),
            link.replace("file-preview", "image-preview"),
            link.replace(f"timestamp={at}", f"timestamp={at + 1}"),
            link.replace(f"timestamp={at}", f"timestamp=+{at}"),
            link.replace(f"timestamp={at}", "timestamp=" + "9" * 5000),
        ):
            reply = await fetched(wrong)
            assert reply.status == 404, wrong
            assert reply.error == absent, wrong
        for name in ("timestamp", "nonce", "sign"):
            for query in (re.sub(f"{name}=[^&]*&?", "", link), re.sub(f"{name}=[^&]*", f"{name}=", link)):
                assert (await fetched(query)).error[:2] == (400, "invalid_param")
        assert (await fetched(link + "&as_attachment=maybe")).error[:2] == (400, "invalid_param")
        clock.advance(300)
        assert (await fetched(link)).status == 200
        clock.advance(1)
        assert (await fetched(link)).error == absent


async def test_the_older_form_of_link_is_good_as_well(house: House, flow: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    links = house.runtime.files.links
    query = parse_qs(urlsplit(shown["source_url"]).query)
    sign = links._sign("image-preview", shown["id"], query["timestamp"][0], query["nonce"][0])
    address = re.sub("sign=.*", f"sign={sign}", shown["source_url"]).replace("file-preview", "image-preview")
    assert (await fetched(address)).body == PNG


async def test_links_begin_with_the_address_of_the_settings(folder: Path) -> None:
    async with open_house(folder, server={"public_url": "https://chat.example.org/weft/"}) as house:
        flow = await house.serve(apps.echo_flow())
        shown = await uploaded(flow)
        assert shown["source_url"].startswith(
            f"https://chat.example.org/weft/files/{shown['id']}/file-preview?"
        )


async def test_a_file_whose_bytes_are_gone_is_gone(house: House, flow: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    await used(flow, shown, user=user)
    await house.runtime.files.content.delete([shown["id"]])
    assert (await flow.get(f"/files/{shown['id']}/preview")).error[:2] == (404, "file_not_found")
    assert (await fetched(shown["source_url"])).error[:2] == (404, "not_found")


async def test_a_file_without_a_record_has_no_preview(house: House, flow: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    await used(flow, shown, user=user)
    await house.runtime.store.write(lambda connection: files.delete_many(connection, [shown["id"]]))
    reply = await flow.get(f"/files/{shown['id']}/preview")
    assert reply.error == (404, "file_not_found", "Upload file record not found")


async def test_an_upload_can_be_used_in_several_messages(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, user=user)
    first = await flow.said("one", user=user, files=[local(shown)])
    await flow.said("two", user=user, files=[local(shown)], conversation_id=first["conversation_id"])
    kept = await flow.messages(first["conversation_id"], user=user)
    assert [[row["upload_file_id"] for row in message["message_files"]] for message in kept] == [
        [shown["id"]],
        [shown["id"]],
    ]


async def test_files_can_be_kept_in_a_bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    service.start()
    try:
        endpoint = "http://{}:{}".format(*service.get_host_and_port())
        for name, value in (
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", "anybody"),
            ("AWS_SECRET_ACCESS_KEY", "anything"),
            ("AWS_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(name, value)
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="files")
        async with open_house(folder, files_url="s3://files/weft") as house:
            flow = await house.serve(apps.echo_flow(features=apps.FEATURES))
            content = PNG * 30_000
            shown = await uploaded(flow, content=content)
            await used(flow, shown, user="u1")
            assert (await flow.get(f"/files/{shown['id']}/preview")).body == content
            assert (await fetched(shown["source_url"])).body == content
        assert not (folder / "data" / "files").exists()
        with pytest.raises(ConfigError, match=r"the setting files_url \(s3://nowhere\)"):
            async with open_house(folder, files_url="s3://nowhere"):
                pass
    finally:
        service.stop()
