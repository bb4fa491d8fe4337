"""A version of an app as the console shows it, draft or published. Source: Dify console API, workflows."""

from __future__ import annotations

from collections.abc import Mapping

from weft.runs import masked
from weft.server.console_api.app_view import account_summary
from weft.server.sse import seconds
from weft.store import Account, Connection, Workflow, accounts


def version_view(workflow: Workflow, people: Mapping[str, Account]) -> dict[str, object]:
    """A version, its secrets masked; `people` are the accounts that may have made it, by id."""
    return {
        "id": workflow.id,
        "graph": workflow.graph,
        "features": workflow.features,
        "hash": workflow.content_hash,
        "version": workflow.version,
        "marked_name": workflow.marked_name,
        "marked_comment": workflow.marked_comment,
        "created_by": account_summary(people.get(workflow.created_by or "")),
        "created_at": seconds(workflow.created_at),
        "updated_by": account_summary(people.get(workflow.updated_by or "")),
        "updated_at": seconds(workflow.updated_at),
        "tool_published": False,
        "environment_variables": masked(workflow.environment_variables),
        "conversation_variables": list(workflow.conversation_variables),
        "rag_pipeline_variables": [],
    }


def people_of(connection: Connection, *versions: Workflow) -> dict[str, Account]:
    """The accounts that have made or changed versions, by id."""
    ids = {
        account_id
        for version in versions
        for account_id in (version.created_by, version.updated_by)
        if account_id is not None
    }
    return accounts.list_by_id(connection, ids)
