from __future__ import annotations

import sqlite3
import threading
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.index import naive
from tests.archive.index.corpus import APPS, USERS, WORDS, conversations
from tests.archive.records import conversation as record
from tests.archive.records import open_archive
from weft.archive import Archive, ArchiveReadOnlyError, AsyncArchive, Conversation, Query, RetentionRule
from weft.archive.index import Order, archive_index, ending, rebuilding, recent, schema, searching
from weft.archive.index.facet import facet
from weft.archive.index.token import FACET
from weft.errors import ArchiveError, InvalidRequestError


def ids(archive: Archive, text: str, query: Query | None = None, **how: object) -> list[str]:
    """All pages of a search."""
    found: list[str] = []
    cursor = None
    while True:
        page = archive.search(text, query, cursor=cursor, **how)  # type: ignore[arg-type]
        found += [hit.message_id for hit in page.hits]
        cursor = page.cursor
        if cursor is None:
            return found


@st.composite
def searches(draw: st.DrawFn, depth: int = 2) -> tuple[str, naive.Test]:
    """A search with the same as a test of one message."""
    kind = draw(st.sampled_from(["word", "phrase", "prefix", "field", "has", "and", "or", "not"]))
    if depth and kind in ("and", "or"):
        first, one = draw(searches(depth - 1))
        second, two = draw(searches(depth - 1))
        if kind == "and":
            return f"({first}) ({second})", naive.both(one, two)
        return f"({first} OR {second})", naive.either(one, two)
    if depth and kind == "not":
        text, test = draw(searches(depth - 1))
        return f"-({text})", naive.without(test)
    word = draw(st.sampled_from([*WORDS, "款", "申", "手机壳", "したい", "불", "absent", "機"]))
    if kind == "phrase":
        phrase = f"{word} {draw(st.sampled_from(WORDS))}"
        return f'"{phrase}"', naive.has(phrase)
    if kind == "prefix":
        return f"{word[:2]}*", naive.has(word[:2], is_prefix=True)
    if kind == "field":
        field = draw(st.sampled_from(["query", "answer", "name"]))
        return f'{field}:"{word}"', naive.has(word, field=field)
    if kind == "has":
        name, value = draw(
            st.sampled_from(
                [
                    *(("user", user) for user in USERS),
                    *(("app", app) for app in APPS),
                    *(("source", "whats app"), ("rating", "like"), ("rating", "none")),
                ]
            )
        )
        return f'{name}:"{value}"', naive.is_(name, value)
    return f'"{word}"', naive.has(word)


@settings(max_examples=25, deadline=None)
@given(corpus=conversations(), wanted=st.lists(searches(), min_size=1, max_size=8))
def test_a_search_finds_what_looking_at_every_message_finds(
    corpus: list[Conversation], wanted: list[tuple[str, naive.Test]]
) -> None:
    with TemporaryDirectory() as folder, open_archive(Path(folder)) as archive:
        archive.save(corpus)
        everything = naive.messages(corpus)
        for text, test in wanted:
            expected = [str(message["id"]) for message in everything if test(message)]
            found = ids(archive, text, limit=2, snippets=False)
            assert sorted(found) == sorted(expected), text
            times = {str(message["id"]): str(message["created_at"]) for message in everything}
            assert [times[id] for id in found] == [times[id] for id in expected], text
            assert sorted(ids(archive, text, limit=3, order="relevance")) == sorted(expected), text


@settings(max_examples=10, deadline=None)
@given(versions=st.lists(conversations(), min_size=2, max_size=4), data=st.data())
def test_an_index_that_follows_changes_equals_one_that_is_made_anew(
    versions: list[list[Conversation]], data: st.DataObject
) -> None:
    searched = ["退款", "款", "refund", "rating:like", "-order", "app:shop"]
    with TemporaryDirectory() as folder, open_archive(Path(folder)) as archive:
        for corpus in versions:
            archive.save(corpus, data.draw(st.sampled_from([None, "org"])))
            archive.index.refresh()
        assert archive.index.verify() == []
        followed = [sorted(ids(archive, text)) for text in searched]
        counted = [archive.statistics(by=by).to_dict() for by in ("app", "user", "model", "day", "week")]
        archive.index.rebuild()
        assert [sorted(ids(archive, text)) for text in searched] == followed
        assert [
            archive.statistics(by=by).to_dict() for by in ("app", "user", "model", "day", "week")
        ] == counted


def test_what_left_the_archive_is_not_found_any_more(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(0), record(6)])
        assert ids(archive, "question") == ["msg-6-0", "msg-0-0"]
        archive.apply_retention([RetentionRule(name="old", keep_days=15)], max_share=1)
        behind = archive.search("question", fresh=False)
        assert ([hit.message_id for hit in behind.hits], behind.days_behind) == (["msg-6-0"], 1)
        assert ids(archive, "question") == ["msg-6-0"]
        assert archive.index.status().tombstones == 1
        archive.index.rebuild()
        assert archive.index.status().tombstones == 0
        assert ids(archive, "question") == ["msg-6-0"]


def test_only_messages_that_changed_are_indexed_again(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1, turns=3)])
        archive.index.refresh()
        archive.save([record(1, turns=4)])
        assert (archive.index.refresh().messages, archive.index.status().tombstones) == (1, 0)


def test_packed_days_are_found_without_being_indexed_again(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(number, answer="Hello! " * 50) for number in range(40)])
        archive.index.refresh()
        archive.compress_sealed_days(0)
        done = archive.index.refresh()
        assert (done.days, done.messages, archive.index.days_behind()) == (7, 0, 0)
        page = archive.search("hello", limit=1)
        assert page.hits[0].path.endswith(".json.zst")
        assert page.hits[0].snippet is not None


def test_a_snippet_shows_where_something_was_found(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1, answer="x" * 500 + " Die GRÖSSE und 我要退款申请。" + " y" * 500)])
        for text, marked in (("größe OR grosse", "GRÖSSE"), ("退款", "退款"), ("ques*", "Ques")):
            snippet = archive.search(text).hits[0].snippet
            assert snippet is not None
            assert [snippet.text[start:end] for start, end in snippet.highlights] == [marked]
            assert len(snippet.text) <= 240


def test_filters_restrict_messages(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(0), record(1, app_id="app b")])
        archive.save([record(2)], "org-1")
        cases = [
            (Query(organization_id="org-1"), ["msg-2-0"]),
            (Query(app_ids=frozenset({"app b"})), ["msg-1-0"]),
            (Query(app_ids=frozenset()), []),
            (Query(start=date(2025, 10, 2), end=date(2025, 10, 2)), ["msg-1-0"]),
            (Query(conversation_ids=frozenset({"conv-0", "conv-2"})), ["msg-2-0", "msg-0-0"]),
            (Query(end_user_id="nobody"), []),
            (Query(rating="none", from_sources=frozenset({"api"})), ["msg-2-0", "msg-1-0", "msg-0-0"]),
        ]
        for query, expected in cases:
            assert ids(archive, "question", query) == expected, query
        assert ids(archive, 'app:"app b" OR org:org-1') == ["msg-2-0", "msg-1-0"]
        assert ids(archive, "from:2025-10-02 to:2025-10-03") == ["msg-2-0", "msg-1-0"]


def test_messages_of_the_same_instant_are_all_found(tmp_path: Path) -> None:
    at = "2025-10-01T00:00:00Z"
    many = [{"id": f"m{number}", "query": "same", "created_at": at} for number in range(120)]
    with open_archive(tmp_path) as archive:
        archive.save([Conversation.parse({"id": "c", "created_at": at, "messages": many})])
        assert len(set(ids(archive, "same", limit=7))) == 120
        changed = [{**message, "query": "same again"} for message in many]
        archive.save([Conversation.parse({"id": "c", "created_at": at, "messages": changed})])
        assert len(set(ids(archive, "again", limit=50))) == 120
        assert ids(archive, "same", Query(end=date(2025, 9, 30))) == []
        assert archive.index.verify() == []


def test_a_cursor_is_good_for_its_own_search_only(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1, turns=3)])
        cursor = archive.search("question", limit=1).cursor
        for text, given_cursor in (("hello", cursor), ("question", "x"), ("question", "WzFd")):
            with pytest.raises(InvalidRequestError, match="cursor"):
                archive.search(text, cursor=given_cursor)
        for limit in (0, 201):
            with pytest.raises(InvalidRequestError, match="limit"):
                archive.search("question", limit=limit)


def test_a_new_message_does_not_move_the_pages_of_a_search_that_has_begun(tmp_path: Path) -> None:
    orders: tuple[Order, ...] = ("newest", "relevance")
    with open_archive(tmp_path) as archive:
        archive.save([record(0, turns=4)])
        for order in orders:
            first = archive.search("question", order=order, limit=2)
            archive.save([record(6 if order == "newest" else 13)])
            second = archive.search("question", order=order, limit=2, cursor=first.cursor)
            assert len({hit.message_id for hit in (*first.hits, *second.hits)}) == 4


def test_an_archive_for_reading_is_searched_and_not_indexed(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1)])
        with open_archive(tmp_path, read_only=True) as reader:
            with pytest.raises(ArchiveError, match="no search index"):
                reader.search("question")
            archive.index.refresh()
            assert ids(reader, "question") == ["msg-1-0"]
            archive.save([record(2)])
            assert reader.search("question").days_behind == 1
            with pytest.raises(ArchiveReadOnlyError):
                reader.index.refresh()


def test_an_index_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1)])
        archive.index.refresh()
        path = archive.index.path
    for damage in (b"", b"not a database at all", path.read_bytes()[:5000] + b"\xff" * 30000):
        path.write_bytes(damage)
        with open_archive(tmp_path) as archive:
            assert ids(archive, "question") == ["msg-1-0"]
            assert archive.index.verify() == []
            assert archive.verify().findings == []


def test_a_damaged_conversation_is_named_and_the_others_are_found(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        path = tmp_path / archive.save([record(1)]).paths["conv-1"]
        archive.save([record(8)])
        whole = path.read_bytes()
        path.write_bytes(b"{}")
        assert archive.index.refresh().damaged == [path.relative_to(tmp_path).as_posix()]
        assert (ids(archive, "question"), archive.index.days_behind()) == (["msg-8-0"], 1)
        path.write_bytes(whole)
        assert set(ids(archive, "question")) == {"msg-8-0", "msg-1-0"}
        assert archive.index.days_behind() == 0


def test_reading_goes_on_while_the_index_is_written_and_rebuilt(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(number) for number in range(30)])
        archive.index.refresh()
        stop = threading.Event()
        wrong: list[object] = []
        rounds = [0]

        def read() -> None:
            while not stop.is_set():
                count = len(archive.search("question", limit=200, fresh=False, snippets=False).hits)
                total = archive.statistics(fresh=False).totals.messages
                if not 30 <= count <= 60 or not 30 <= total <= 60:
                    wrong.append((count, total))
                rounds[0] += 1

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            for number in range(30, 60):
                archive.save([record(number)])
                archive.index.refresh()
                if number % 10 == 0:
                    archive.index.rebuild()
        finally:
            stop.set()
            for reader in readers:
                reader.join(30)
        assert wrong == []
        assert rounds[0] > 2
        assert len(archive.search("question", limit=200).hits) == 60


class _Snapshots:
    """Keeps the files of the index as they are before every statement of the writer."""

    def __init__(self, path: Path, into: Path) -> None:
        self.path = path
        self.into = into
        self.count = 0

    def take(self, _: str) -> None:
        folder = self.into / str(self.count)
        folder.mkdir(parents=True)
        for suffix in ("", "-wal"):
            file = Path(f"{self.path}{suffix}")
            if file.exists():
                (folder / file.name).write_bytes(file.read_bytes())
        self.count += 1


def test_a_kill_at_any_statement_leaves_an_index_that_is_behind_and_never_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "archive"
    taken = _Snapshots(root / "logs/.weft/search.db", tmp_path / "taken")
    with open_archive(root) as archive:
        archive.save([record(number, turns=2) for number in (0, 1, 2)])
        archive.index.refresh()
        archive.index.close()
        archive.save([record(1, turns=3), record(9)])
        archive.apply_retention([RetentionRule(name="old", keep_days=19)], max_share=1)

        def watched(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
            connection = connect(path, read_only=read_only)
            if not read_only:
                connection.set_trace_callback(taken.take)
            return connection

        connect = schema.connect
        monkeypatch.setattr(archive_index, "connect", watched)
        archive.index.refresh()
        taken.take("")
        monkeypatch.undo()
        expected = ids(archive, "question")
    assert taken.count > 30
    seen = set()
    for number in range(taken.count):
        for suffix in ("", "-wal", "-shm"):
            Path(f"{taken.path}{suffix}").unlink(missing_ok=True)
        for file in (taken.into / str(number)).iterdir():
            (taken.path.parent / file.name).write_bytes(file.read_bytes())
        with open_archive(root) as archive:
            assert archive.index.verify() == [], number
            before = archive.search("question", fresh=False)
            seen.add((before.days_behind, len(before.hits)))
            assert {hit.message_id for hit in before.hits} <= set(expected)
            assert ids(archive, "question") == expected
            assert archive.index.verify() == []
    assert len(seen) > 1


def test_a_rebuild_that_is_broken_off_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with open_archive(tmp_path) as archive:
        archive.save([record(1)])
        archive.index.refresh()
        with pytest.raises(KeyboardInterrupt):
            archive.index.rebuild(stop)
        assert ids(archive, "question") == ["msg-1-0"]
        assert archive.verify().findings == []


@pytest.mark.anyio
async def test_the_asynchronous_face_gives_the_same(tmp_path: Path) -> None:
    async with await AsyncArchive.open(tmp_path) as archive:
        await archive.save([record(1)])
        page = await archive.search("question")
        assert page.to_dict() == archive.archive.search("question").to_dict()
        assert (await archive.statistics(by="app")) == archive.archive.statistics(by="app")


def test_an_index_that_lacks_most_of_the_archive_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_index, "REBUILT_FROM", 10)
    with open_archive(tmp_path) as archive:
        archive.save([record(0, turns=2)])
        archive.index.refresh()
        archive.save([record(0, turns=1), record(1, turns=12)])
        assert archive.index.refresh().messages == 13
        assert archive.index.status().tombstones == 0
        assert len(ids(archive, "question")) == 13


@pytest.mark.parametrize("many", [250, 0])
@pytest.mark.parametrize("most", [4000, 1, 0])
def test_beginnings_of_words_are_found_however_many_words_begin_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, many: int
) -> None:
    monkeypatch.setattr(ending, "MOST_ENDINGS", most)
    monkeypatch.setattr(ending, "MANY_ENDINGS", many)
    with open_archive(tmp_path) as archive:
        archive.save([record(0, answer="Größe late delivery"), record(1, answer="GROSSE late delays")])
        archive.index.refresh()
        archive.save([record(2, answer="grotto delicate")])
        for text, expected in (
            ("grö*", ["msg-2-0", "msg-0-0", "msg-1-0"]),
            ("GRÖSS*", ["msg-1-0"]),
            ('"late del"', []),
            ("deli* -late", ["msg-2-0"]),
            ("answer:dela* OR answer:gross*", ["msg-1-0"]),
            ("name:deli*", []),
            ("absent*", []),
        ):
            assert sorted(ids(archive, text)) == sorted(expected), (text, most)
            assert sorted(ids(archive, text, order="relevance")) == sorted(expected), (text, most)


@settings(max_examples=15, deadline=None)
@given(
    versions=st.lists(conversations(), min_size=1, max_size=3),
    kept=st.integers(0, 4),
    steps=st.sampled_from([(1, 3, 4), (2, 100, 200), (100, 200, 300)]),
    is_new=st.booleans(),
)
def test_the_newest_messages_that_are_looked_at_first_hide_no_others(
    versions: list[list[Conversation]], kept: int, steps: tuple[int, int, int], is_new: bool
) -> None:
    with (
        TemporaryDirectory() as folder,
        open_archive(Path(folder)) as archive,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(recent, "KEPT", kept + 1)
        patch.setattr(searching, "STEPS", steps)
        for corpus in versions:
            archive.save(corpus)
            archive.index.refresh()
        if is_new:
            archive.index.rebuild()
        for text in ("re*", "gr*", "or* -re*", "app:shop o*", "answer:c* OR a1*"):
            found = []
            for many, most in ((250, 4000), (0, 4000), (0, 0)):
                patch.setattr(ending, "MANY_ENDINGS", many)
                patch.setattr(ending, "MOST_ENDINGS", most)
                found.append(ids(archive, text, limit=2, snippets=False))
            assert found[0] == found[1] == found[2], text


def test_words_that_a_rebuild_finds_are_those_that_were_added_one_by_one(tmp_path: Path) -> None:
    def words(connection: sqlite3.Connection) -> list[str]:
        return [word for (word,) in connection.execute("SELECT text FROM word")]

    with open_archive(tmp_path) as archive:
        for number, answer in enumerate(("Größe 退款申请", "refund, e-mail", "환불 요청 かな")):
            archive.save([record(number, answer=answer)])
            archive.index.refresh()
        followed = archive.index.read(words)
        archive.index.rebuild()
        assert archive.index.read(words) == followed
        assert {"große", "refund", "退", "かな"[0], "question"} <= set(followed)
        assert not [word for word in followed if word.startswith(FACET)]


def test_the_words_for_properties_are_in_no_text(tmp_path: Path) -> None:
    hidden = facet("app", "shop")
    with open_archive(tmp_path) as archive:
        archive.save([record(0, app_id="shop", answer=f"{hidden} {FACET}"), record(1, answer=hidden)])
        assert ids(archive, "app:shop") == ["msg-0-0"]
        assert sorted(ids(archive, f'"{hidden}"')) == ["msg-0-0", "msg-1-0"]
        with pytest.raises(InvalidRequestError, match="nothing to look for"):
            ids(archive, FACET)


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1)])
        archive.index.refresh()
        path = archive.index.path
    older = sqlite3.connect(path)
    older.executescript("PRAGMA user_version = 1; DROP TABLE word")
    older.close()
    with open_archive(tmp_path, read_only=True) as reader, pytest.raises(ArchiveError, match="rebuild it"):
        reader.search("ques*")
    with open_archive(tmp_path) as archive:
        assert ids(archive, "ques*") == ["msg-1-0"]


def test_messages_that_lie_far_apart_are_found_in_order_however_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(number: int) -> Conversation:
        days = (date(2025, 9, 1 + number), date(2025, 9, 20), date(2025, 10, 1 + number))
        return Conversation.parse(
            {
                "id": f"c{number}",
                "messages": [
                    {"id": f"{day}-{number}", "query": "same", "created_at": f"{day}T10:00:0{number}Z"}
                    for day in days
                ],
            }
        )

    corpus = [said(number) for number in range(9)]
    expected = sorted((str(one["id"]) for item in corpus for one in item.messages), reverse=True)
    with open_archive(tmp_path) as archive:
        archive.save(corpus)
        for fewest, most in ((2_000, 20_000), (1, 20_000), (4, 20_000), (1, 2)):
            monkeypatch.setattr(rebuilding, "FEWEST_ROWS", fewest)
            monkeypatch.setattr(rebuilding, "MOST_ROWS", most)
            assert archive.index.rebuild().messages == 27
            assert ids(archive, "same", limit=5) == expected
            assert archive.index.verify() == []
