"""A workflow run with its node executions, as the archive keeps it beside the conversations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from weft.archive.instant import parse_instant, render_instant
from weft.archive.json_text import JsonObject
from weft.errors import InvalidRequestError

_KNOWN = {
    "run_id",
    "organization_id",
    "app_id",
    "conversation_id",
    "status",
    "created_at",
    "finished_at",
    "node_executions",
    "logged_at",
}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a graph; make one with `parse`, which validates."""

    fields: JsonObject
    """All fields in the order of the file, ``node_executions`` last."""

    @property
    def id(self) -> str:
        """The run's id."""
        return cast(str, self.fields["run_id"])

    @property
    def organization_id(self) -> str | None:
        """The organisation that it belongs to."""
        return cast("str | None", self.fields.get("organization_id"))

    @property
    def conversation_id(self) -> str | None:
        """The conversation that it answered; deleted with it."""
        return cast("str | None", self.fields["conversation_id"])

    @property
    def created_at(self) -> datetime:
        """When it began."""
        return parse_instant(self.fields["created_at"], "created_at")

    @classmethod
    def parse(cls, record: Mapping[str, object]) -> RunRecord:
        """Validate a run; ``id`` is accepted for ``run_id``, seconds since 1970 for instants.

        Raises:
            InvalidRequestError: No id, no ``created_at``, or node executions that are no list.
        """
        id = record.get("run_id", record.get("id"))
        if not isinstance(id, str) or not id:
            raise InvalidRequestError("a run has no run_id; give it one", {"run_id": "missing"})
        executions = record.get("node_executions") or []
        if not isinstance(executions, list | tuple):
            raise InvalidRequestError(f"run {id[:60]!r}: node_executions must be a list")
        for field in ("organization_id", "app_id", "conversation_id", "status"):
            if not isinstance(record.get(field), str | None):
                raise InvalidRequestError(f"run {id[:60]!r}: {field} must be text", {field: "must be text"})
        where = f"run {id[:60]!r}"
        finished = record.get("finished_at")
        fields: JsonObject = {
            "run_id": id,
            "app_id": record.get("app_id") or "",
            "conversation_id": record.get("conversation_id"),
            "status": record.get("status") or "",
            "created_at": render_instant(parse_instant(record.get("created_at"), f"{where}: created_at")),
            "finished_at": None
            if finished is None
            else render_instant(parse_instant(finished, f"{where}: finished_at")),
        }
        known = _KNOWN if "run_id" in record else {*_KNOWN, "id"}
        if record.get("organization_id") is not None:
            fields["organization_id"] = record["organization_id"]
        fields.update({key: record[key] for key in sorted(record) if key not in known})
        fields["node_executions"] = list(executions)
        if record.get("logged_at") is not None:
            fields["logged_at"] = render_instant(parse_instant(record["logged_at"], f"{where}: logged_at"))
        return cls(fields)

    def within(self, organization_id: str | None) -> RunRecord:
        """The same run in this organisation; none leaves it where it is."""
        if organization_id is None or organization_id == self.organization_id:
            return self
        return RunRecord.parse({**self.fields, "organization_id": organization_id})
