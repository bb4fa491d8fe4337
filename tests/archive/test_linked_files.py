"""Files that come by link: of any size in little memory, and of a bad answer nothing is left."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web

from tests.archive.attached import PICTURE, FileSource, file, kept, with_files
from tests.archive.records import FailingDisk, full, killed_at_each_step, open_archive, tree
from weft.archive import Archive, FileRules, PullOptions
from weft.clock import SystemClock
from weft.egress import EgressConfig, EgressError, EgressRequest, EgressResponse
from weft.errors import ArchiveError

MIB = 1024 * 1024
PIECE = bytes(range(256)) * 256
URL = "https://there.example/file"


@dataclass
class Far:
    """A way out at whose end one answer stands; counts what was taken of it."""

    pieces: Callable[[], AsyncIterator[bytes]]
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    taken: int = 0
    config: EgressConfig = field(default_factory=EgressConfig)

    @asynccontextmanager
    async def request(self, request: EgressRequest) -> AsyncIterator[EgressResponse]:
        async def counted() -> AsyncIterator[bytes]:
            async for piece in self.pieces():
                self.taken += len(piece)
                yield piece

        yield EgressResponse(
            status=self.status, origin="https://there.example", headers=self.headers, pieces=counted()
        )

    async def close(self) -> None:
        pass

    def rules(self, max_bytes: int = 64 * MIB, seconds: float = 30.0) -> FileRules:
        return FileRules(open_egress=lambda config: self, max_bytes=max_bytes, seconds=seconds)


def many(count: int) -> Callable[[], AsyncIterator[bytes]]:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield PIECE

    return pieces


def one_link(number: int = 1, fields: Mapping[str, object] | None = None) -> FileSource:
    source = FileSource(with_files(number, {**file("f1"), **(fields or {})}))
    source.links = {"f1": URL}
    return source


def pull_one(root: Path, far: Far, rules: FileRules, **fields: object) -> dict[str, object]:
    """What is noted of the file after a pull; nothing may lie about."""
    with open_archive(root) as archive:
        archive.file_rules = rules
        report = archive.pull(one_link(1, fields))
        assert [app.error for app in report.apps] == [""]
        assert [name for name in tree(root) if ".tmp-" in name] == []
        assert archive.verify().findings == []
        (found,) = kept(archive.get("conv-1"))
        assert isinstance(found, dict)
        return found


def test_a_large_file_needs_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    far = Far(many(512))
    tracemalloc.start()
    try:
        with open_archive(tmp_path) as archive:
            archive.file_rules = far.rules()
            # The second one has the same bytes, which are there by then.
            for number in (1, 2):
                archive.pull(one_link(number), options=PullOptions(restart=True))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with open_archive(tmp_path) as archive:
        (found,), (again,) = (kept(archive.get(f"conv-{number}")) for number in (1, 2))
        assert archive.verify().findings == []
    assert found == again
    assert found == {
        "sha256": sha256(PIECE * 512).hexdigest(),
        "size": 32 * MIB,
        "name": "picture.png",
        "mime_type": "image/png",
    }
    assert peak < 8 * MIB


@pytest.mark.parametrize(
    ("headers", "most"),
    [({}, 3 * MIB + len(PIECE)), ({"content-length": str(512 * len(PIECE))}, 0)],
)
def test_no_more_is_taken_of_a_file_that_is_too_large(
    tmp_path: Path, headers: dict[str, str], most: int
) -> None:
    far = Far(many(512), headers)
    found = pull_one(tmp_path, far, far.rules(max_bytes=3 * MIB))
    assert found == {"reason": "too-large", "detail": f"it has more than {3 * MIB} bytes"}
    assert far.taken <= most


def test_a_file_that_is_just_as_large_as_allowed_is_kept(tmp_path: Path) -> None:
    far = Far(many(16), {"content-length": str(MIB)})
    assert pull_one(tmp_path, far, far.rules(max_bytes=MIB))["size"] == MIB


def test_what_unpacks_to_too_much_is_noted_and_not_unpacked(tmp_path: Path) -> None:
    async def bomb() -> AsyncIterator[bytes]:
        yield gzip.compress(bytes(64 * MIB))

    far = Far(bomb, {"content-encoding": "gzip"})
    assert pull_one(tmp_path, far, far.rules(max_bytes=2 * MIB))["reason"] == "too-large"


def test_packed_bytes_that_never_become_plain_ones_are_too_many(tmp_path: Path) -> None:
    async def members() -> AsyncIterator[bytes]:
        while True:
            yield gzip.compress(b"") * 3000

    far = Far(members, {"content-encoding": "gzip"})
    assert pull_one(tmp_path, far, far.rules(max_bytes=2 * MIB))["reason"] == "too-large"


async def _breaks() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield PIECE
    raise EgressError("the connection to https://there.example broke in the middle of the response")


async def _ends_early() -> AsyncIterator[bytes]:
    yield gzip.compress(PIECE * 40)[:-9]


async def _hangs() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield PIECE
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("pieces", "headers", "said"),
    [
        (_breaks, {}, "broke in the middle"),
        (_ends_early, {"content-encoding": "gzip"}, "ends in the middle of its compressed data"),
        (_hangs, {}, "it took longer than 0.2 seconds"),
    ],
)
def test_a_body_that_is_cut_off_is_out_of_reach_and_leaves_nothing(
    tmp_path: Path, pieces: Callable[[], AsyncIterator[bytes]], headers: dict[str, str], said: str
) -> None:
    far = Far(pieces, headers)
    found = pull_one(tmp_path, far, far.rules(seconds=0.2 if pieces is _hangs else 30.0))
    assert (found["reason"], said in str(found["detail"])) == ("unreachable", True)
    assert "sha256" not in found


@pytest.mark.parametrize(
    ("type", "fields", "reason"),
    [
        ("text/html; charset=utf-8", {}, "gone"),
        ("text/html", {"mime_type": ""}, "gone"),
        ("text/html", {"type": "document", "mime_type": "text/html"}, None),
        ("application/octet-stream", {}, None),
    ],
)
def test_a_page_in_the_place_of_a_picture_is_not_taken_for_one(
    tmp_path: Path, type: str, fields: dict[str, object], reason: str | None
) -> None:
    far = Far(many(1), {"content-type": type})
    assert pull_one(tmp_path, far, far.rules(), **fields).get("reason") == reason


def test_a_disk_that_fills_up_in_the_middle_ends_the_pull_and_leaves_nothing(tmp_path: Path) -> None:
    disk = FailingDisk()
    with open_archive(tmp_path, files=disk) as archive:
        archive.file_rules = Far(many(80)).rules()
        disk.at, disk._fail = disk.steps + 3, full
        with pytest.raises(ArchiveError, match="No space left on device"):
            archive.pull(one_link())
        assert disk.log[-2].startswith("append .tmp-file-")
        assert [name for name in tree(tmp_path) if ".tmp-" in name] == []
        disk._fail = None
        archive.pull(one_link(), options=PullOptions(restart=True))
        assert archive.verify().findings == []
        assert isinstance(kept(archive.get("conv-1"))[0], dict)


def test_a_kill_at_any_step_of_a_link_leaves_nothing_that_is_not_swept(tmp_path: Path) -> None:
    with open_archive(tmp_path / "start"):
        pass

    def pull(archive: Archive) -> None:
        archive.file_rules = Far(many(40)).rules()
        archive.pull(one_link(), options=PullOptions(restart=True))

    opened = killed_at_each_step(
        tmp_path / "start", lambda root, disk: open_archive(root, files=disk), pull, least=10
    )
    for root, disk in opened:
        with open_archive(root) as archive:
            assert archive.verify().findings == [], disk.log[-3:]
            assert [name for name in tree(root) if ".tmp-" in name] == []
            pull(archive)
            assert archive.verify().findings == []
            assert kept(archive.get("conv-1")) != [None]


@pytest.mark.anyio
async def test_a_server_that_cuts_off_or_leads_elsewhere_is_noted_as_such(tmp_path: Path) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100000"})
        await response.prepare(request)
        await response.write(PIECE[:50000])
        assert request.transport is not None
        request.transport.close()
        return response

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/whole")

    async def whole(request: web.Request) -> web.StreamResponse:
        return web.Response(body=PICTURE)

    app = web.Application()
    app.add_routes([web.get("/cut", cut), web.get("/elsewhere", elsewhere), web.get("/whole", whole)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    home = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]  # of asyncio's own server
    source = FileSource(with_files(1, *(file(name) for name in ("cut", "elsewhere", "whole"))))
    source.links = {name: f"/{name}" for name in ("cut", "elsewhere", "whole")}
    source.home = home
    try:
        from weft.archive import pull

        with open_archive(tmp_path) as archive:
            archive.file_rules = FileRules()
            await pull(source, archive, clock=SystemClock())
            found = [one.get("reason") for one in kept(archive.get("conv-1")) if isinstance(one, dict)]
    finally:
        await runner.cleanup()
    assert found == ["unreachable", "refused", None]
