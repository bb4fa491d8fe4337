from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from weft.retrieval import (
    FolderRetriever,
    MetadataCondition,
    MetadataFilter,
    Passage,
    RetrievalError,
)

pytestmark = pytest.mark.anyio


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (1000, 1000))


async def found(retriever: FolderRetriever, query: str, top_k: int = 10) -> list[str]:
    return [item.content for item in await retriever.search(query, top_k=top_k)]


async def test_a_passage_says_where_it_comes_from(tmp_path: Path) -> None:
    write(tmp_path, {"sub/guide.md": "---\nauthor: Ada\ndate: 2024-05-01\n---\n# Holidays\n\nThirty days."})
    first = FolderRetriever("k", tmp_path, name="Handbook")
    (passage,) = await first.search("days", top_k=3)

    content = "# Holidays\n\nThirty days."
    assert passage == Passage(
        content=content,
        score=passage.score,
        title="guide.md",
        document_id=passage.document_id,
        document_name="guide.md",
        data_source_type="upload_file",
        segment_id=passage.segment_id,
        position=1,
        word_count=24,
        index_node_hash=hashlib.sha256(content.encode()).hexdigest(),
        metadata={
            "document_name": "guide.md",
            "path": "sub/guide.md",
            "last_update_date": 1000,
            "author": "Ada",
            "date": "2024-05-01",
        },
    )
    assert passage.score is not None
    assert 0 < passage.score < 1
    assert (first.dataset_id, first.name, FolderRetriever("k", tmp_path).name) == ("k", "Handbook", "k")
    again = await FolderRetriever("k", tmp_path).search("days", top_k=3)
    assert again == [passage], "ids stay the same over restarts"


async def test_only_text_files_are_read_and_hidden_ones_are_not(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.txt": "word a",
            "b.MD": "word b",
            "c.png": "word c",
            ".hidden/d.txt": "word d",
            ".e.txt": "word e",
            "empty.txt": "",
        },
    )
    (tmp_path / "folder.txt").mkdir()
    assert sorted(await found(FolderRetriever("k", tmp_path), "word")) == ["word a", "word b"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
async def test_chinese_files_are_found_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, {"a.txt": "退款需要三天。".encode(encoding), "b.txt": "办公室在上海。".encode(encoding)})
    assert await found(FolderRetriever("k", tmp_path), "怎么退款") == ["退款需要三天。"]


async def test_a_file_is_found_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"holidays.txt": "Thirty days.", "b.txt": "Nothing."})
    assert await found(FolderRetriever("k", tmp_path), "holidays") == ["Thirty days."]


async def test_only_the_best_are_given(tmp_path: Path) -> None:
    write(tmp_path, {"1.txt": "cat", "2.txt": "cat dog bird", "3.txt": "dog"})
    retriever = FolderRetriever("k", tmp_path)
    assert await found(retriever, "cat bird", top_k=1) == ["cat dog bird"]
    scored = await retriever.search("cat bird", top_k=5)
    limit = scored[0].score
    assert [item.content for item in scored] == ["cat dog bird", "cat"]
    assert limit is not None
    above = await retriever.search("cat bird", top_k=5, score_threshold=limit - 0.01)
    assert [item.content for item in above] == ["cat dog bird"]


async def test_documents_can_be_filtered(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "---\nkind: x\n---\nword", "b.md": "---\nkind: y\n---\nword two"})
    filters = MetadataFilter([MetadataCondition("kind", "is", "y")])
    (passage,) = await FolderRetriever("k", tmp_path).search("word", top_k=5, filters=filters)
    assert passage.content == "word two"


@pytest.mark.parametrize("top", ["---\nno end", "---\n[1\n---\ntext", "---\n- list\n---\ntext"])
async def test_what_only_looks_like_notes_is_text(tmp_path: Path, top: str) -> None:
    write(tmp_path, {"a.md": top})
    (passage,) = await FolderRetriever("k", tmp_path).search("end text", top_k=1)
    assert passage.content == top


async def test_a_folder_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.txt": "x" * 60, "b.txt": "x" * 60})
    monkeypatch.setattr("weft.retrieval.folder._MAX_TOTAL_BYTES", 100)
    with pytest.raises(RetrievalError, match=r"dataset 'k' is too large to be searched in memory: b\.txt"):
        await FolderRetriever("k", tmp_path).search("x", top_k=1)
