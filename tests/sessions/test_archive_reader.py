from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.sessions.builders import contents
from tests.sessions.conversation import Talk
from tests.store.rows import START, Rows
from weft.archive import Archive, Conversation, RunRecord
from weft.errors import ConflictError, NotFoundError
from weft.ids import TimeOrderedIds
from weft.sessions import (
    ArchiveReader,
    RunStatus,
    StoredSession,
    StoreReader,
    WorkflowSession,
    archived_session,
    restore_session,
)
from weft.store import Connection, Store, apps, node_executions, open_store, runs, workflows, workspaces
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/live.db", clock=FrozenClock()) as store:
        yield store


@pytest.fixture
def talk() -> Talk:
    talk = Talk(Rows(ids=TimeOrderedIds()))
    talk.variables = [talk.rows.variable(talk.conversation, "notes", ["a", {"b": None}])]
    talk.turn("one", "first")
    talk.files = [talk.rows.file(talk.messages[0])]
    talk.turn("two", "", "failed")
    parent = talk.messages[1].id
    talk.turn("three", "worse", parent=parent)
    run = talk.turn("three", "third", "partial-succeeded", parent=parent, exceptions_count=1)
    talk.execute(run, "few", "shots", node_id="few", iteration_id="loop", iteration_index=2)
    talk.ask(run, status="submitted", submitted={"name": "Ada"}, action_id="yes", closed_at=START)
    talk.ask(talk.turn("wait", "so far", "paused"))
    talk.judge(talk.messages[0], "like", content="Because.")
    talk.judge(talk.messages[1], "dislike")
    talk.judge(talk.messages[0], "dislike", from_source="admin", end_user_id=None, account_id="boss")
    talk.correct(talk.messages[0], "better")
    return talk


def archive_in(folder: Path) -> Archive:
    return Archive.open(folder, clock=FrozenClock())


async def put_away(live: Store, talk: Talk, archive: Archive) -> None:
    kept = await archived_session(StoreReader(live, talk.app.id), talk.conversation.id)
    assert kept.conversation is not None
    assert archive.save([kept.conversation]).written == 1
    assert archive.save_runs(kept.runs).written == len(talk.runs)


async def test_a_session_is_the_same_live_archived_and_restored(
    records: Store, talk: Talk, tmp_path: Path
) -> None:
    await records.write(talk.store)
    live = await StoredSession.open(StoreReader(records, talk.app.id), talk.conversation.id, user_id="ada")
    before = (await live.load()).to_dict()
    with archive_in(tmp_path) as archive:
        await put_away(records, talk, archive)
        reader = ArchiveReader(archive)
        archived = await StoredSession.open(reader, talk.conversation.id, user_id="ada")
        assert (await archived.load()).to_dict() == before
        assert archived.head == live.head
        for run in (await live.load()).runs:
            assert await archived.get_run(str(run.run_id)) == run
        assert await archived.get_run("nobody") is None
        for count in (None, 1, 3):
            context = await live.get_workflow_history_context(count)
            assert await archived.get_workflow_history_context(count) == context
        newest = await archived.get_runs(limit=2)
        older = await archived.get_runs(str(newest.runs[0].run_id), limit=2)
        assert (*older.runs, *newest.runs) == tuple((await live.load()).runs[1:])
        assert (older.has_more, newest.has_more) == (True, True)

        async with open_store(f"sqlite:///{tmp_path}/other.db", clock=FrozenClock()) as other:
            with pytest.raises(NotFoundError, match="there is no app"):
                await restore_session(reader, talk.conversation.id, other)

            def prepare(connection: Connection) -> None:
                workspaces.find_or_create(connection, talk.rows.workspace)
                apps.create(connection, talk.app)
                workflows.publish(connection, talk.workflow)

            await other.write(prepare)
            await restore_session(reader, talk.conversation.id, other)
            restored = await StoredSession.open(StoreReader(other, talk.app.id), talk.conversation.id)
            assert (await restored.load()).to_dict() == before
            with pytest.raises(ConflictError, match="cannot be restored"):
                await restore_session(reader, talk.conversation.id, other)
            assert (await restored.load()).to_dict() == before


async def test_an_archived_session_belongs_to_its_user(records: Store, talk: Talk, tmp_path: Path) -> None:
    await records.write(talk.store)
    with archive_in(tmp_path) as archive:
        await put_away(records, talk, archive)
        reader = ArchiveReader(archive)
        for session_id, user in ((talk.conversation.id, "eve"), ("nobody", None)):
            with pytest.raises(NotFoundError):
                await StoredSession.open(reader, session_id, user_id=user)
        with pytest.raises(NotFoundError):
            await StoredSession.open(ArchiveReader(archive, "elsewhere"), talk.conversation.id)
        with pytest.raises(NotFoundError):
            await reader.turns(talk.conversation.id, before="nobody", limit=3, detail=False)


async def test_the_run_of_an_app_without_conversations_is_archived_too(
    records: Store, tmp_path: Path
) -> None:
    talk = Talk(Rows(ids=TimeOrderedIds()))
    talk.app = replace(talk.app, mode="workflow")
    run = replace(
        talk.turn("q", "a"), conversation_id=None, message_id=None, end_user_id=talk.user.id, mode="workflow"
    )
    executions = talk.executions
    talk.messages, talk.runs, talk.executions = [], [], []

    def write(connection: Connection) -> None:
        talk.store(connection)
        runs.start(connection, None, None, run)
        node_executions.append(connection, executions)

    await records.write(write)
    live = await StoredSession.open(StoreReader(records, talk.app.id), run.id, user_id="ada")
    kept = await archived_session(StoreReader(records, talk.app.id), run.id)
    assert kept.conversation is None
    with archive_in(tmp_path) as archive:
        archive.save_runs(kept.runs)
        archived = await StoredSession.open(ArchiveReader(archive), run.id, user_id="ada")
        whole = await archived.load()
        assert whole.to_dict() == (await live.load()).to_dict()
        assert (whole.session_id, [item.run_id for item in whole.runs]) == (run.id, [run.id])
        assert archived.head == live.head
        with pytest.raises(NotFoundError):
            await StoredSession.open(ArchiveReader(archive), run.id, user_id="eve")


async def test_a_conversation_of_another_server_is_a_session_as_far_as_its_log_goes(tmp_path: Path) -> None:
    """The fields are those of a console's lists of messages, runs and node executions."""
    usage = {"total_price": "0.5", "currency": "EUR"}
    conversation = Conversation.parse(
        {
            "id": "c1",
            "app_id": "a1",
            "app_name": "Shop",
            "name": "Tea",
            "from_source": "whatsapp",
            "created_at": 100,
            "from_end_user_session_id": "ann",
            "messages": [
                {
                    "id": "m1",
                    "query": "Oolong?",
                    "answer": "A tea.",
                    "created_at": 100,
                    "from_end_user_id": "u1",
                    "message_tokens": 3,
                    "answer_tokens": 4,
                    "provider_response_latency": 1.5,
                    "workflow_run_id": "r1",
                    "metadata": {"usage": usage},
                    "feedbacks": [{"rating": "like"}],
                    "message_files": [{"id": "f1", "type": "image", "filename": "a.png", "url": "http://x"}],
                },
                {"id": "m2", "query": "Matcha?", "answer": "", "created_at": 101, "error": "boom"},
            ],
        }
    )
    record = RunRecord.parse(
        {
            "id": "r1",
            "app_id": "a1",
            "conversation_id": "c1",
            "status": "succeeded",
            "created_at": 100,
            "elapsed_time": 2,
            "total_tokens": 7,
            "graph": {"nodes": [{"id": "llm", "data": {"title": "Ask", "type": "llm"}}]},
            "node_executions": [
                {
                    "id": "n1",
                    "node_id": "llm",
                    "node_type": "llm",
                    "title": "Ask",
                    "status": "succeeded",
                    "created_at": 100,
                    "process_data": {"prompts": [{"role": "user", "text": "Oolong?"}], "model_name": "m"},
                    "outputs": {"text": "A tea."},
                    "execution_metadata": {"iteration_id": "loop", "iteration_index": 0},
                }
            ],
        }
    )
    with archive_in(tmp_path) as archive:
        archive.save([conversation])
        archive.save_runs([record])
        session = await (await StoredSession.open(ArchiveReader(archive), "c1", user_id="ann")).load()
    assert (session.workflow_name, session.created_at, session.updated_at) == ("Shop", 100, 101)
    assert session.get_workflow_history() == [("Oolong?", "A tea.")]
    assert [(turn.input, turn.output) for turn in session.get_chat_history()] == [("Oolong?", "A tea.")]
    assert contents(session.get_messages(agent_id="llm")) == "Oolong? A tea."
    assert contents(session.get_messages(team_id="a1")) == "Oolong? A tea. Matcha?"
    first, second = session.runs
    assert [(run.run_id, run.status) for run in (first, second)] == [
        ("r1", RunStatus.completed),
        ("m2", RunStatus.error),
    ]
    assert first.images == [
        {"id": "f1", "url": "http://x", "filename": "a.png", "belongs_to": "user"},
    ]
    assert (first.metadata or {})["feedback"] == [{"rating": "like"}]
    metrics = session.session_data["session_metrics"]
    assert isinstance(metrics, dict)
    assert metrics["cost_by_currency"] == {"EUR": "0.5"}
    assert WorkflowSession.from_dict(session.to_dict()) == session
