"""Run beside a test that kills it: adds runs to a session without end and says which are on disk."""

from __future__ import annotations

import sys
from itertools import count

from weft.sessions import WorkflowRunOutput, WorkflowSession, open_session_store

if __name__ == "__main__":
    with open_session_store(sys.argv[1]) as store:
        session = store.get_session("s") or WorkflowSession("s")
        for number in count():
            text = f"{number} " * 2_000
            session.upsert_run(WorkflowRunOutput(text, text, run_id=str(number), status="COMPLETED"))
            session.session_data["count"] = number + 1
            store.upsert_session(session)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
