"""Joining the stream of a run again. Source: Dify service API, `GET /workflow/{workflow_run_id}/events`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import NotFoundError
from weft.server.call import WORKFLOW_MODES, Call
from weft.server.path import path_id
from weft.server.rejoin import Rejoined, only_end, read_known
from weft.server.sse import FrameStream
from weft.wire import RunEventsQuery, parse_request

_ABSENT = "Workflow run not found"


async def events(request: Request) -> Response:
    """What happens in a run from now on, and on demand what has happened before."""
    call = await Call.begin(request)
    fields = call.query
    user = await call.end_user(fields, required=True)
    call.check_mode(*WORKFLOW_MODES)
    query = parse_request(RunEventsQuery, fields)
    run_id = path_id(request, "workflow_run_id", _ABSENT)
    known = await call.runtime.store.read(
        lambda connection: read_known(connection, call.app.id, run_id, whole=query.include_state_snapshot)
    )
    if known is None or known.run.end_user_id != user.id:
        raise NotFoundError(_ABSENT, kind="run", id=run_id)
    server = call.runtime.settings.server
    if known.run.finished_at is not None:
        stream = FrameStream(ping_seconds=server.ping_seconds, on_leave=lambda _: None)
        stream.put((only_end(known.run, user.session_id),))
        stream.end()
        return stream
    return Rejoined(
        call.runtime,
        known,
        user.session_id,
        snapshot=query.include_state_snapshot,
        through_pauses=query.continue_on_pause,
    ).open()


ROUTES = [Route("/workflow/{workflow_run_id}/events", events, methods=["GET"])]
