from __future__ import annotations

from pathlib import Path

import pytest

from weft.errors import ConfigError
from weft.retrieval import Packed, VectorStore

ONE, TWO = Packed(b"\x01\x80\xff", 1.5), Packed(b"\x00\x80\x7f", 2.0)


@pytest.mark.parametrize("on_disk", [True, False])
def test_vectors_are_found_by_dataset_model_and_hash(on_disk: bool, tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "sub" / "vectors.db" if on_disk else None)
    store.save("d", "m", {b"1": ONE, b"2": TWO})
    store.save("other", "m", {b"3": ONE})

    assert store.load("d", "m", [b"1", b"3"]) == {b"1": ONE}
    assert store.load("d", "other", [b"1"]) == {}
    store.close()


def test_vectors_outlive_the_process(tmp_path: Path) -> None:
    first = VectorStore(tmp_path / "vectors.db")
    first.save("d", "m", {b"1": ONE})
    first.close()
    second = VectorStore(tmp_path / "vectors.db")

    assert second.load("d", "m", [b"1"]) == {b"1": ONE}
    second.close()


def test_what_nobody_needs_is_forgotten_when_it_is_more_than_the_rest() -> None:
    store = VectorStore()
    keys = [bytes([number]) for number in range(6)]
    store.save("d", "m", dict.fromkeys(keys, ONE))

    store.prune("d", "m", keys[:3])
    assert len(store.load("d", "m", keys)) == 6
    store.prune("d", "m", keys[:2])
    assert sorted(store.load("d", "m", keys)) == keys[:2]
    store.close()


def test_a_file_that_is_something_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "vectors.db"
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(ConfigError, match=r"the file of vectors .* cannot be used: file is not a database"):
        VectorStore(path).load("d", "m", [b"1"])


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be used"):
        VectorStore(tmp_path / "file" / "vectors.db").load("d", "m", [b"1"])
