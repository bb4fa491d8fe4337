"""Stored conversations as sessions: what each part of a conversation is on the session's side.

Nothing is stored twice: a session here is a view, made of records of `weft.store` by functions without any
effect. The same rows give the same session, ids and times included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from weft.sessions.plain import JsonObject, objects, plain, plain_object
from weft.sessions.session import WorkflowSession
from weft.sessions.turn import SessionHead, Turn, mark_replaced, turns_of
from weft.sessions.view_run import duration_of, media_of, run_of, seconds, session_id_of, user_of

if TYPE_CHECKING:
    from weft.store import (
        App,
        Conversation,
        ConversationVariable,
        EndUser,
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
        workflow: The version of the newest run.
    """
    head = SessionHead(
        app=app, conversation=conversation, end_user=end_user, variables=variables, workflow=workflow
    )
    return session_from(head, turns_of(messages, runs, node_executions, files))


def session_of_run(
    run: Run,
    node_executions: Iterable[NodeExecution] = (),
    *,
    app: App,
    end_user: EndUser | None = None,
    workflow: Workflow | None = None,
    session_id: str | None = None,
) -> WorkflowSession:
    """The run of an app without conversations as a session, known by the given id or else the run's."""
    head = SessionHead(app=app, end_user=end_user, workflow=workflow, session_id=session_id or run.id)
    return session_from(head, turns_of((), (run,), node_executions))


def session_from(head: SessionHead, turns: Sequence[Turn]) -> WorkflowSession:
    """A session of all turns of a conversation, oldest first."""
    marked = list(mark_replaced(reversed(turns)))
    session = session_head(head, turns[0] if turns else None)
    session.runs = [run_of(head, turn, replaced=replaced) for turn, replaced in reversed(marked)]
    if head.workflow is None and turns and turns[-1].run is not None:
        session.workflow_data["version"] = turns[-1].run.version
    session.session_data["session_metrics"] = session_metrics(turns)
    for kind, found in media_of(file for turn in turns for file in turn.files).items():
        session.session_data[kind] = found
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


def session_metrics(turns: Iterable[Turn]) -> JsonObject:
    """What all runs together used: tokens, seconds, and prices by currency as decimal text."""
    given = made = total = 0
    duration = 0.0
    prices: dict[str, Decimal] = {}
    for turn in turns:
        duration += duration_of(turn)
        if turn.message is not None:
            given += turn.message.message_tokens
            made += turn.message.answer_tokens
        if turn.run is not None:
            total += turn.run.total_tokens
        elif turn.message is not None:
            total += turn.message.message_tokens + turn.message.answer_tokens
        priced = turn.run or turn.message
        if priced is not None and priced.total_price:
            prices[priced.currency] = prices.get(priced.currency, Decimal(0)) + priced.total_price
    found: JsonObject = {
        "input_tokens": given,
        "output_tokens": made,
        "total_tokens": total,
        "duration": duration,
        "cost_by_currency": {currency: format(price, "f") for currency, price in prices.items()},
    }
    if len(prices) == 1:
        found["cost"] = float(*prices.values())
    return found
