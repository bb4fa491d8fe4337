"""Forms that people fill in for runs that wait. Source: Dify service API, `/form/human_input`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.runs import (
    FormClosedError,
    InvalidFormError,
    action_title,
    find_open_form,
    form_requested,
    submit_form,
)
from weft.server.call import Call
from weft.server.errors import ApiError
from weft.server.reply import json_reply
from weft.server.sse import form_data, seconds
from weft.store import Form, Run
from weft.wire import FormSubmitRequest, parse_request


async def show(request: Request) -> Response:
    """A form that waits, by its token; whoever has the app's key may read it."""
    call = await Call.begin(request)
    form, _ = await _open_form(call, str(request.path_params["form_token"]))
    return json_reply(
        {
            "form_content": form.content,
            "inputs": form.inputs,
            "resolved_default_values": {name: _text(value) for name, value in form.resolved_defaults.items()},
            "user_actions": form.actions,
            "expiration_time": seconds(form.expires_at),
        }
    )


async def submit(request: Request) -> Response:
    """Fill a form in; the run goes on in the background."""
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body, required=True)
    given = parse_request(FormSubmitRequest, body)
    form, run = await _open_form(call, str(request.path_params["form_token"]))
    runtime = call.runtime
    try:
        await submit_form(
            runtime.store,
            runtime.clock,
            form,
            run,
            inputs=given.inputs,
            action=given.action,
            make_file=await runtime.runner.preparer.file_maker(call.app.id, user.id, given.inputs),
            end_user_id=user.id,
        )
    except InvalidFormError as error:
        raise ApiError(400, "invalid_form_data", str(error)) from error
    except FormClosedError as error:
        raise _closed(error) from error
    runtime.runner.resume_soon(call.app.id, run.id)
    return json_reply({})


def extra_contents(asked: Sequence[Form]) -> list[dict[str, object]]:
    """The forms of a run as its message shows them."""
    return [
        {
            "type": "human_input",
            "workflow_run_id": form.run_id,
            "submitted": form.status == "submitted",
            "form_definition": {
                **form_data(form_requested(form)),
                "form_token": form.token if form.status == "waiting" else None,
            },
            "form_submission_data": _submission(form) if form.status == "submitted" else None,
        }
        for form in asked
    ]


def _submission(form: Form) -> Mapping[str, object]:
    return {
        "node_id": form.node_id,
        "node_title": form.node_title,
        "rendered_content": form.rendered_content or "",
        "action_id": form.action_id or "",
        "action_text": action_title(form),
        "submitted_data": form.submitted or {},
    }


async def _open_form(call: Call, token: str) -> tuple[Form, Run]:
    try:
        return await find_open_form(call.runtime.store, call.runtime.clock, call.app.id, token)
    except FormClosedError as error:
        raise _closed(error) from error


def _closed(error: FormClosedError) -> ApiError:
    return ApiError(412, f"human_input_form_{error.status}", str(error))


def _text(value: object) -> str:
    """A first value as the text that a field shows."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


async def _form(request: Request) -> Response:
    return await (show if request.method in ("GET", "HEAD") else submit)(request)


ROUTES = [Route("/form/human_input/{form_token}", _form, methods=["GET", "POST"])]
