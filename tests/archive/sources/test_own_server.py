"""Every source against a whole server in process, and the way back into its store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from tests.archive.records import conversation_files, tree
from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.console_caller import PASSWORD, make_account, signed_in
from tests.contract.house import House, open_house
from weft.archive import (
    AsyncArchive,
    DamagedFileError,
    Hold,
    PullOptions,
    PullReport,
    Query,
    RetentionError,
    RetentionRule,
    Source,
    SourceSpec,
    StoreRetention,
    StoreSource,
    delete_archived,
    open_source,
    preview_delete_archived,
    restore_conversations,
)
from weft.clock import SystemClock
from weft.errors import ConfigError, NotFoundError
from weft.store import Connection, Run, conversations, runs

pytestmark = pytest.mark.anyio
CLOCK = SystemClock()
EMAIL = "archivist@b.c"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path / "house", models=Actor()) as opened:
        yield opened


@pytest.fixture
async def flow(house: House) -> Caller:
    """A chatflow with two conversations of two people, liked, disliked and annotated."""
    caller = await house.serve(apps.echo_flow(features=apps.FEATURES, variables=apps.VARIABLES))
    await talk(caller, "ann", "one", "two", "drei")
    await talk(caller, "ben", "fünf 🙂")
    return caller


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[AsyncArchive]:
    async with await AsyncArchive.open(tmp_path / "archive") as opened:
        yield opened


async def talk(caller: Caller, user: str, *queries: str) -> str:
    """The id of a conversation of these messages, the first of which is liked."""
    conversation_id = ""
    for number, query in enumerate(queries):
        said = await caller.said(query, user=user, conversation_id=conversation_id)
        conversation_id = said["conversation_id"]
        if number == 0:
            body = {"rating": "like", "user": user, "content": "good"}
            assert (
                await caller.call("POST", f"/messages/{said['message_id']}/feedbacks", body)
            ).status == 200
    return conversation_id


async def pulled(archive: AsyncArchive, source: Source, *, restart: bool = False) -> PullReport:
    report = await archive.pull(source, options=PullOptions(restart=restart))
    assert report.succeeded, report
    return report


def found(archive: AsyncArchive) -> dict[str, list[tuple[object, object]]]:
    """Queries and answers of each conversation."""
    return {
        one.id: [(message["query"], message["answer"]) for message in one.messages]
        for one in archive.archive.iter_conversations()
    }


async def test_the_own_store_gives_everything_and_then_only_what_changed(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    source = StoreSource(house.runtime.store, clock=CLOCK)
    first = await pulled(archive, source)
    assert (first.total("written"), first.total("runs")) == (2, 4)
    told = {len(said): said for said in found(archive).values()}
    assert told[3] == [(query, f"You said: {query}") for query in ("one", "two", "drei")]
    again = await pulled(archive, source)
    assert (again.total("written"), again.total("runs")) == (0, 0)

    changed = await talk(flow, "cid", "new")
    third = await pulled(archive, source)
    assert (third.total("written"), changed in found(archive)) == (1, True)


async def test_feedback_alone_brings_a_conversation_again(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    said = await flow.said("rate me", user="eve")
    source = StoreSource(house.runtime.store, clock=CLOCK)
    await pulled(archive, source)
    body = {"rating": "dislike", "user": "eve"}
    await flow.call("POST", f"/messages/{said['message_id']}/feedbacks", body)
    assert (await pulled(archive, source)).total("written") == 1
    [message] = archive.archive.get(said["conversation_id"]).messages
    [opinion] = cast("list[dict[str, object]]", message["feedbacks"])
    assert opinion["rating"] == "dislike"


async def test_what_is_deleted_and_restored_is_archived_again_to_the_same_bytes(
    house: House, flow: Caller, archive: AsyncArchive, tmp_path: Path
) -> None:
    store = house.runtime.store
    await pulled(archive, StoreSource(store, clock=CLOCK))
    before = {path: data for path, data in tree(tmp_path / "archive").items() if "/.weft/" not in path}

    gone = await delete_archived(store, archive.archive, [RetentionRule("all", 0)], max_share=1)
    assert (gone.total, gone.candidates, gone.deleted, gone.kept) == (2, 2, 2, [])
    ids = list(found(archive))
    assert await _present(house, flow.app_id, ids) == []

    back = await restore_conversations(archive.archive, store, flow.app_id)
    assert (back.conversations, back.messages, back.runs, back.present, back.failed) == (2, 4, 4, 0, [])
    twice = await restore_conversations(archive.archive, store, flow.app_id)
    assert (twice.conversations, twice.present) == (0, 2)

    async with await AsyncArchive.open(tmp_path / "second") as second:
        await pulled(second, StoreSource(store, clock=CLOCK))
        for one in archive.archive.iter_conversations():
            other = second.archive.get(one.id)
            assert {**other.fields, "logged_at": ""} == {**one.fields, "logged_at": ""}
    report = await pulled(archive, StoreSource(store, clock=CLOCK), restart=True)
    assert report.total("written") == 0
    after = {path: data for path, data in tree(tmp_path / "archive").items() if "/.weft/" not in path}
    assert after.keys() == before.keys()
    assert {p: d for p, d in after.items() if "manifest" not in p} == {
        p: d for p, d in before.items() if "manifest" not in p
    }
    assert (await archive.verify()).findings == []


async def _present(house: House, app_id: str, ids: list[str]) -> list[str]:
    def read(connection: Connection) -> list[str]:
        return [id for id in ids if conversations.find(connection, app_id, id, end_user_id=None)]

    return await house.runtime.store.read(read)


async def test_a_restored_conversation_can_be_gone_on_with(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    id = await talk(flow, "ann", "remember")
    await pulled(archive, StoreSource(house.runtime.store, clock=CLOCK))
    await delete_archived(house.runtime.store, archive.archive, [RetentionRule("all", 0)], max_share=1)
    await restore_conversations(archive.archive, house.runtime.store, flow.app_id)
    said = await flow.said("and now", user="ann", conversation_id=id)
    page = (await flow.get("/messages", user="ann", conversation_id=id)).ok
    assert said["conversation_id"] == id
    assert [one["query"] for one in page["data"]] == ["remember", "and now"]


async def test_only_what_the_archive_provably_has_is_deleted(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    store, rules = house.runtime.store, [RetentionRule("all", 0)]
    await pulled(archive, StoreSource(store, clock=CLOCK))
    behind = await talk(flow, "dan", "first")
    await pulled(archive, StoreSource(store, clock=CLOCK))
    await flow.said("second", user="dan", conversation_id=behind)
    new = await talk(flow, "fay", "never archived")
    held = next(id for id, said in found(archive).items() if len(said) == 3)
    archive.archive.place_hold(Hold(id="h", reason="law", conversation_id=held))

    with pytest.raises(RetentionError):
        await delete_archived(store, archive.archive, rules, max_share=0.1)
    plan = await preview_delete_archived(store, archive.archive, rules)
    report = await delete_archived(store, archive.archive, rules, max_share=1)
    assert (plan.candidates, report.deleted) == (1, 1)
    assert {(one.conversation_id, one.why) for one in report.kept} == {
        (behind, "archive is behind"),
        (new, "not archived"),
        (held, "on hold"),
    }
    young = await delete_archived(store, archive.archive, [RetentionRule("year", 365)], max_share=1)
    assert (young.deleted, young.kept) == (0, [])
    assert [line.action for line in archive.archive.iter_audit_lines()] == ["hold", "delete-from-store"]


async def test_a_damaged_copy_keeps_the_original(
    house: House, flow: Caller, archive: AsyncArchive, tmp_path: Path
) -> None:
    store = house.runtime.store
    await pulled(archive, StoreSource(store, clock=CLOCK))
    for name in conversation_files(tmp_path / "archive"):
        path = tmp_path / "archive" / name
        path.write_bytes(path.read_bytes().replace(b"You", b"Yov"))
    report = await delete_archived(store, archive.archive, [RetentionRule("all", 0)], max_share=1)
    assert (report.deleted, report.kept_count) == (0, {"archive is damaged": 2})


async def test_a_hold_that_got_lost_keeps_everything_in_the_store(
    house: House, flow: Caller, archive: AsyncArchive, tmp_path: Path
) -> None:
    store, rules = house.runtime.store, [RetentionRule("all", 0)]
    await pulled(archive, StoreSource(store, clock=CLOCK))
    held = next(iter(found(archive)))
    archive.archive.place_hold(Hold(id="h", reason="law", conversation_id=held))
    (tmp_path / "archive" / "logs" / ".weft" / "holds.json").unlink()
    for deed in (preview_delete_archived, partial(delete_archived, max_share=1)):
        with pytest.raises(DamagedFileError, match="hold 'h' was placed and is not in it"):
            await deed(store, archive.archive, rules)
    assert await _present(house, flow.app_id, list(found(archive))) == sorted(found(archive))


@pytest.mark.parametrize("field", ["everything", "app_id", "from_source", "end_user_id", "organization_id"])
async def test_a_hold_keeps_in_the_store_what_it_keeps_in_the_archive(
    house: House, flow: Caller, archive: AsyncArchive, field: str
) -> None:
    store = house.runtime.store
    source = StoreSource(store, clock=CLOCK, organization_id="org-1")
    await archive.pull(source)
    entries = [(day, entry) for day, entry in archive.archive.iter_entries()]
    law = Hold(id="h", reason="law")
    first = entries[0][1]
    hold = {
        "everything": law,
        "app_id": replace(law, app_id=flow.app_id),
        "from_source": replace(law, from_source=first.from_source),
        "end_user_id": replace(law, end_user_id=first.end_user_id),
        "organization_id": replace(law, organization_id="org-1"),
    }[field]
    archive.archive.place_hold(hold)
    rules = [RetentionRule("all", 0)]
    kept = sorted(entry.id for day, entry in entries if hold.covers("org-1", entry))
    assert len(kept) == (1 if field == "end_user_id" else 2)
    plan = archive.archive.preview_retention(rules)
    report = await delete_archived(store, archive.archive, rules, max_share=1, organization_id="org-1")
    assert sorted(one.conversation_id for one in report.kept) == kept
    assert (report.kept_count, plan.held) == ({"on hold": len(kept)}, len(kept))
    assert await _present(house, flow.app_id, [entry.id for _, entry in entries]) == kept


async def test_a_hold_that_is_placed_meanwhile_counts(
    house: House, flow: Caller, archive: AsyncArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, told = house.runtime.store, []
    await pulled(archive, StoreSource(store, clock=CLOCK))
    one, two = sorted(found(archive))
    monkeypatch.setattr("weft.archive.store_retention.AT_ONCE", 1)

    def place(now: StoreRetention) -> None:
        told.append(now.deleted)
        if len(told) == 1:
            left = next(iter(set(found(archive)) - gone(archive)))
            archive.archive.place_hold(Hold(id="h", reason="law", conversation_id=left))

    report = await delete_archived(
        store, archive.archive, [RetentionRule("all", 0)], max_share=1, progress=place
    )
    assert (report.deleted, report.kept_count) == (1, {"on hold": 1})
    assert len(await _present(house, flow.app_id, [one, two])) == 1


def gone(archive: AsyncArchive) -> set[str]:
    """What the audit log says was deleted from a store."""
    return {line.id for line in archive.archive.iter_audit_lines() if line.action == "delete-from-store"}


async def test_a_console_account_sees_what_the_store_has(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    await make_account(house, EMAIL)
    spec = SourceSpec(kind="console", url=house.serving.console_api, api_key=f"{EMAIL}:{PASSWORD}")
    async with open_source(spec, clock=CLOCK) as source:
        first = await pulled(archive, source)
        assert (first.total("written"), first.total("runs")) == (2, 4)
        again = await pulled(archive, source)
        assert (again.total("written"), again.total("runs")) == (0, 0)
    assert sorted(len(said) for said in found(archive).values()) == [1, 3]
    for one in archive.archive.iter_conversations():
        for message in one.messages:
            run = archive.archive.find_run(str(message["workflow_run_id"]))
            assert run is not None
            assert "graph" not in run.fields
            nodes = cast("list[dict[str, object]]", run.fields["node_executions"])
            assert [node["node_type"] for node in nodes] == ["start", "llm", "answer"]
            stored = await house.runtime.store.read(partial(_run, flow.app_id, run.id))
            assert stored is not None
            assert run.created_at == stored.created_at.replace(microsecond=0)
    listed = (await (await signed_in(house, EMAIL)).get(f"/apps/{flow.app_id}/chat-conversations")).ok
    assert [one["read_at"] for one in listed["data"]] == [None, None]


def _run(app_id: str, run_id: str, connection: Connection) -> Run | None:
    return runs.find(connection, app_id, run_id)


async def test_what_a_console_gave_can_be_restored_into_an_empty_store(
    house: House, flow: Caller, archive: AsyncArchive, tmp_path: Path
) -> None:
    await make_account(house, EMAIL)
    spec = SourceSpec(kind="console", url=house.serving.console_api, api_key=f"{EMAIL}:{PASSWORD}")
    async with open_source(spec, clock=CLOCK) as source:
        await pulled(archive, source)
    async with open_house(tmp_path / "other", models=Actor()) as other:
        there = await other.serve(apps.echo_flow(features=apps.FEATURES, variables=apps.VARIABLES))
        back = await restore_conversations(archive.archive, other.runtime.store, there.app_id, query=Query())
        assert (back.conversations, back.messages, back.runs, back.failed) == (2, 4, 4, [])
        listed = (await there.get("/conversations", user="ann")).ok
        [conversation] = listed["data"]
        page = (await there.get("/messages", user="ann", conversation_id=conversation["id"])).ok
        assert [one["answer"] for one in page["data"]] == [f"You said: {q}" for q in ("one", "two", "drei")]
        assert [one["feedback"] for one in page["data"]] == [{"rating": "like"}, None, None]
        again = await restore_conversations(archive.archive, other.runtime.store, there.app_id, query=Query())
        assert (again.conversations, again.present) == (0, 2)


async def test_an_app_key_finds_people_by_their_runs(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    spec = SourceSpec(kind="app-key", url=flow.url, api_key=flow.key, app_id=flow.app_id)
    async with open_source(spec, clock=CLOCK) as source:
        first = await pulled(archive, source)
        assert (first.total("written"), len(first.apps[0].app.limits)) == (2, 4)
        assert (await pulled(archive, source)).total("written") == 0
        await talk(flow, "cid", "new")
        assert (await pulled(archive, source)).total("written") >= 1
    assert sorted(len(said) for said in found(archive).values()) == [1, 1, 3]
    assert flow.key not in repr(spec)
    whole = archive.archive.iter_conversations()
    assert {one.fields["from_end_user_session_id"] for one in whole} == {"ann", "ben", "cid"}


async def test_a_workflow_app_is_archived_by_its_runs_and_restored(
    house: House, archive: AsyncArchive, tmp_path: Path
) -> None:
    work = await house.serve(apps.echo_workflow())
    for number in range(3):
        body = {"inputs": {"text": f"n{number}"}, "user": "u", "response_mode": "blocking"}
        assert (await work.call("POST", "/workflows/run", body)).status == 200
    store = house.runtime.store
    first = await pulled(archive, StoreSource(store, clock=CLOCK))
    assert first.total("runs") == 3
    await make_account(house, EMAIL)
    spec = SourceSpec(kind="console", url=house.serving.console_api, api_key=f"{EMAIL}:{PASSWORD}")
    async with open_source(spec, clock=CLOCK) as source, await AsyncArchive.open(tmp_path / "c") as second:
        assert (await pulled(second, source)).total("runs") == 3
    spec = SourceSpec(kind="app-key", url=work.url, api_key=work.key, app_id=work.app_id)
    async with open_source(spec, clock=CLOCK) as source, await AsyncArchive.open(tmp_path / "k") as third:
        assert (await pulled(third, source)).total("runs") == 3
    async with open_house(tmp_path / "other", models=Actor()) as other:
        there = await other.serve(apps.echo_workflow())
        back = await restore_conversations(archive.archive, other.runtime.store, there.app_id, query=Query())
        assert (back.runs, back.present, back.failed) == (3, 0, [])
        twice = await restore_conversations(archive.archive, other.runtime.store, there.app_id, query=Query())
        assert (twice.runs, twice.present) == (0, 3)


async def test_many_talk_while_the_store_is_pulled_and_nothing_is_lost(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    source = StoreSource(house.runtime.store, clock=CLOCK)
    talking = asyncio.create_task(_talk_much(flow))
    while not talking.done():
        await pulled(archive, source)
    ids = await talking
    await pulled(archive, source)
    assert {id: len(said) for id, said in found(archive).items() if id in ids} == dict.fromkeys(ids, 2)


async def _talk_much(flow: Caller) -> list[str]:
    return list(await asyncio.gather(*(talk(flow, f"user{n}", "a", "b") for n in range(8))))


async def test_an_unknown_app_is_said_at_once(house: House, archive: AsyncArchive) -> None:
    store = house.runtime.store
    with pytest.raises(NotFoundError):
        await archive.pull(StoreSource(store, clock=CLOCK, app_ids=["nobody"]))
    with pytest.raises(NotFoundError):
        await restore_conversations(archive.archive, store, "nobody")


@pytest.mark.parametrize(
    "spec",
    [
        SourceSpec(kind="own-store"),
        SourceSpec(kind="folder"),
        SourceSpec(kind="console", url="http://h", api_key="no-colon"),
    ],
)
async def test_a_source_that_lacks_something_says_what(spec: SourceSpec) -> None:
    with pytest.raises(ConfigError):
        async with open_source(spec, clock=CLOCK):
            pass
