"""Stores of files: a folder, memory, and a bucket of a server that speaks S3's protocol."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # it has no types
import pytest
from moto.server import ThreadedMotoServer

from weft.files import FileStore, open_file_store


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3's protocol."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_environment(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, in the environment as its own tools have it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return s3


_NUMBERS = count(1)


@pytest.fixture
def bucket(s3_environment: str) -> str:
    """The name of a new bucket."""
    name = f"bucket-{next(_NUMBERS)}"
    boto3.client("s3", endpoint_url=s3_environment).create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    match request.param:
        case "file":
            return f"file://{tmp_path}/a folder/files"
        case "memory":
            return "memory://"
        case _:
            return f"s3://{request.getfixturevalue('bucket')}/some/prefix"


@pytest.fixture
async def files(url: str) -> AsyncIterator[FileStore]:
    """A store."""
    store = await open_file_store(url)
    yield store
    await store.close()
