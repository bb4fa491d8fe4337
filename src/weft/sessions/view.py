"""Stored conversations as sessions: what each part of a conversation is on the session's side.

Nothing is stored twice: a session here is a view, made of records of `weft.store` by functions without any
effect. The same rows give the same session, ids and times included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from weft.sessions.opinion import count_feedback, opinions_of
from weft.sessions.plain import JsonObject, objects, plain, plain_object
from weft.sessions.session import WorkflowSession
from weft.sessions.turn import SessionHead, Turn, mark_replaced, turns_of
from weft.sessions.view_run import duration_of, media_of, run_of, seconds, session_id_of, user_of
from weft.store import (
    Annotation,
    App,
    Conversation,
    ConversationVariable,
    EndUser,
    Feedback,
    Form,
    MessageFile,
    NodeExecution,
    Run,
    Workflow,
)
from weft.store import Message as StoredMessage


def session_of(
    conversation: Conversation,
    messages: Iterable[StoredMessage],
    runs: Iterable[Run],
    node_executions: Iterable[NodeExecution] = (),
    *,
    app: App,
    end_user: EndUser | None = None,
    variables: Sequence[ConversationVariable] = (),
    files: Iterable[MessageFile] = (),
    forms: Iterable[Form] = (),
    feedback: Iterable[Feedback] = (),
    annotations: Iterable[Annotation] = (),
    workflow: Workflow | None = None,
) -> WorkflowSession:
    """A stored conversation as a session.

    Args:
        conversation: The conversation.
        messages: All of its messages, in any order.
        runs: Their runs; messages from elsewhere have none.
        node_executions: Those of the runs; without them there are no steps and no agents.
        app: The app it belongs to.
        end_user: Who talks; `None` for an account of the console.
        variables: Its conversation variables.
        files: The files of its messages.
        forms: What its runs have asked people.
        feedback: What people think of its answers.
        annotations: What its answers should have been.
        workflow: The version of the newest run.
    """
    head = SessionHead(
        app=app, conversation=conversation, end_user=end_user, variables=variables, workflow=workflow
    )
    turns = turns_of(messages, runs, node_executions, files, forms)
    return session_from(head, [*_with_opinions(turns, feedback, annotations)])


def _with_opinions(
    turns: Iterable[Turn], feedback: Iterable[Feedback], annotations: Iterable[Annotation]
) -> Iterator[Turn]:
    given: dict[str, list[Feedback]] = {}
    for one in feedback:
        given.setdefault(one.message_id, []).append(one)
    corrected = {one.message_id: one for one in annotations}
    for turn in turns:
        id = "" if turn.message is None else turn.message.id
        yield replace(turn, opinions=opinions_of(given.get(id, ()), corrected.get(id)))


def session_of_run(
    run: Run,
    node_executions: Iterable[NodeExecution] = (),
    *,
    app: App,
    end_user: EndUser | None = None,
    forms: Iterable[Form] = (),
    workflow: Workflow | None = None,
    session_id: str | None = None,
) -> WorkflowSession:
    """The run of an app without conversations as a session, known by the given id or else the run's."""
    head = SessionHead(app=app, end_user=end_user, workflow=workflow, session_id=session_id or run.id)
    return session_from(head, turns_of((), (run,), node_executions, (), forms))


def session_from(head: SessionHead, turns: Sequence[Turn]) -> WorkflowSession:
    """A session of all turns of a conversation, oldest first."""
    marked = list(mark_replaced(reversed(turns)))
    total = SessionTotal()
    total.add(turns)
    session = session_head(head, turns[0] if turns else None)
    session.runs = [run_of(head, turn, replaced=replaced) for turn, replaced in reversed(marked)]
    total.put_into(session)
    return session


def session_head(head: SessionHead, first: Turn | None = None) -> WorkflowSession:
    """A session without its runs and what is computed from them."""
    app, conversation, workflow = head.app, head.conversation, head.workflow
    if first is None and head.run is not None:
        first = Turn(run=head.run)
    began = first.run.created_at if conversation is None and first is not None and first.run else None
    created = conversation.created_at if conversation is not None else began or app.created_at
    updated = conversation.updated_at if conversation is not None else created
    return WorkflowSession(
        session_id=session_id_of(head),
        user_id=user_of(head, first),
        workflow_id=app.id,
        workflow_name=app.name,
        session_data={
            **({} if conversation is None else {"session_name": conversation.name}),
            "session_state": {variable.name: plain(variable.value) for variable in head.variables},
        },
        workflow_data={
            "workflow_id": app.id,
            "name": app.name,
            "app_id": app.id,
            "mode": app.mode,
            **({} if workflow is None else _version(workflow)),
        },
        metadata=_metadata(head),
        created_at=seconds(created),
        updated_at=seconds(updated),
    )


def _version(workflow: Workflow) -> JsonObject:
    return {
        "version": workflow.version,
        "graph_hash": workflow.content_hash,
        "nodes": [_node(node) for node in objects(workflow.graph.get("nodes"))],
    }


def _node(node: Mapping[str, object]) -> JsonObject:
    data = node.get("data")
    settings = data if isinstance(data, Mapping) else {}
    return {"id": node.get("id"), "title": settings.get("title"), "type": settings.get("type")}


def _metadata(head: SessionHead) -> JsonObject:
    conversation, user = head.conversation, head.end_user
    found: JsonObject = {"tags": list(head.app.tags)}
    if conversation is not None:
        found |= {
            "source": conversation.from_source,
            "invoke_from": conversation.invoke_from,
            "dialogue_count": conversation.dialogue_count,
            "status": conversation.status,
            "introduction": conversation.introduction,
            "inputs": plain_object(conversation.inputs),
        }
    if user is not None:
        found["end_user"] = {
            "id": user.id,
            "type": user.type,
            "external_user_id": user.external_user_id,
            "name": user.name,
            "is_anonymous": user.is_anonymous,
        }
    return found


class SessionTotal:
    """What all turns of a conversation come to together, gathered page by page from the newest back."""

    def __init__(self) -> None:
        self._version: str | None = None
        self._tokens = [0, 0, 0]
        self._durations: list[float] = []
        self._prices: dict[str, Decimal] = {}
        self._media: dict[str, list[JsonObject]] = {}
        self._feedback: dict[str, dict[str, int]] = {}
        self._is_empty = True

    def add(self, turns: Sequence[Turn]) -> None:
        """Count turns, oldest first, that come before those that were counted already."""
        if self._is_empty and turns:
            self._is_empty = False
            newest = turns[-1].run
            self._version = None if newest is None else newest.version
        for turn in turns:
            self._count(turn)
        for kind, found in media_of(file for turn in turns for file in turn.files).items():
            self._media[kind] = [*found, *self._media.get(kind, ())]
        for source, ratings in count_feedback(turns).items():
            known = self._feedback.setdefault(source, {})
            for rating, count in ratings.items():
                known[rating] = known.get(rating, 0) + count

    def _count(self, turn: Turn) -> None:
        message, run = turn.message, turn.run
        self._durations.append(duration_of(turn))
        given = made = 0
        if message is not None:
            given, made = message.message_tokens, message.answer_tokens
        for place, count in enumerate((given, made, given + made if run is None else run.total_tokens)):
            self._tokens[place] += count
        priced = run or message
        if priced is not None and priced.total_price:
            self._prices[priced.currency] = self._prices.get(priced.currency, Decimal(0)) + priced.total_price

    def put_into(self, session: WorkflowSession) -> None:
        """Put it where a session has it."""
        if "version" not in session.workflow_data and self._version is not None:
            session.workflow_data["version"] = self._version
        if self._feedback:
            session.metadata["feedback"] = plain(self._feedback)
        session.session_data["session_metrics"] = self._metrics()
        session.session_data.update(self._media)

    def _metrics(self) -> JsonObject:
        """Tokens, seconds, and prices by currency as decimal text."""
        given, made, total = self._tokens
        found: JsonObject = {
            "input_tokens": given,
            "output_tokens": made,
            "total_tokens": total,
            # The same in whatever order the turns come.
            "duration": math.fsum(self._durations),
            "cost_by_currency": {
                currency: format(price, "f") for currency, price in sorted(self._prices.items())
            },
        }
        if len(self._prices) == 1:
            found["cost"] = float(*self._prices.values())
        return found
