"""Forms that people fill in: keeping them, reading them, and taking the first answer.

Source: Dify service API, `/form/human_input`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weft.clock import Clock
from weft.errors import ConflictError, InvalidRequestError, NotFoundError
from weft.events import Event, FormFilled, FormRequested, FormTimedOut
from weft.nodes import MakeFile, StartVariable, render_submission
from weft.runs.request_file import kept_ids, without_links
from weft.store import Connection, Form, Run, Store, files, forms, runs
from weft.variables import Value, revive

_OVER = ("succeeded", "failed", "stopped", "partial-succeeded")


class FormClosedError(ConflictError):
    """The form has been answered, or its time is over; `status` says which."""

    def __init__(self, form: Form) -> None:
        self.form_id = form.id
        self.status = "submitted" if form.status == "submitted" else "expired"
        what = (
            "form has already been submitted by another user"
            if self.status == "submitted"
            else "form has expired"
        )
        super().__init__(f"This {what}, form_id={form.id}")


class InvalidFormError(InvalidRequestError):
    """What was filled in does not fit the form."""


class RunForms:
    """Keeps the forms of one run; see `weft.nodes.Forms`."""

    def __init__(self, store: Store, clock: Clock, run: Run) -> None:
        self._store = store
        self._clock = clock
        self._run = run

    async def open(self, form: FormRequested) -> None:
        """Store a form, so that it can be filled in from now on."""
        row = Form(
            id=form.form_id,
            run_id=self._run.id,
            app_id=self._run.app_id,
            node_id=form.node_id,
            node_title=form.node_title,
            content=form.content,
            inputs=form.inputs,
            actions=form.actions,
            created_at=self._clock.now(),
            expires_at=form.expires_at,
            token=form.token,
            display_in_ui=form.display_in_ui,
            resolved_defaults=form.resolved_defaults,
        )
        await self._store.write(lambda connection: forms.create(connection, row))


async def find_open_form(store: Store, clock: Clock, app_id: str, token: str) -> tuple[Form, Run]:
    """The form with that token, which can be filled in, and the run that waits for it.

    Raises:
        NotFoundError: There is none, or its run has ended otherwise.
        FormClosedError: It was filled in, or its time is over.
    """

    def read(connection: Connection) -> tuple[Form | None, Run | None]:
        form = forms.find_by_token(connection, app_id, token)
        return form, None if form is None else runs.find(connection, app_id, form.run_id)

    form, run = await store.read_quick(read)
    if form is None or run is None or (form.status != "submitted" and run.status == "stopped"):
        raise NotFoundError("Form not found", kind="form", id=token)
    if form.status == "waiting" and run.status in _OVER:
        raise NotFoundError("Form not found", kind="form", id=token)
    if form.status != "waiting" or form.expires_at <= clock.now():
        raise FormClosedError(form)
    return form, run


async def submit_form(
    store: Store,
    clock: Clock,
    form: Form,
    run: Run,
    *,
    inputs: Mapping[str, object],
    action: str,
    make_file: MakeFile,
    end_user_id: str | None = None,
    account_id: str | None = None,
) -> None:
    """Fill a form in; the first to do so is the one who counts.

    Args:
        store: Where the form is.
        clock: The time.
        form: As it was found.
        run: The run that waits for it.
        inputs: Values by field; what the form does not ask for is left out.
        action: Id of the chosen action.
        make_file: Makes the files of file fields.
        end_user_id: Who fills it in, if an end user.
        account_id: Who fills it in, if an account.

    Raises:
        InvalidFormError: A field is missing or wrong, or there is no such action.
        FormClosedError: Somebody was faster, or its time is over meanwhile.
    """
    if action not in [str(one.get("id")) for one in form.actions]:
        raise InvalidFormError(f"Invalid action: {action}")
    names = [str(one["output_variable_name"]) for one in form.inputs]
    missing = [name for name in names if name not in inputs]
    if missing:
        raise InvalidFormError(f"Missing required inputs: {', '.join(missing)}")
    values = {
        name: _value(one, inputs[name], make_file) for name, one in zip(names, form.inputs, strict=True)
    }
    content = render_submission(form.content, values)
    used = kept_ids(values.values())

    def write(connection: Connection) -> bool:
        won = forms.submit(
            connection,
            form.id,
            action_id=action,
            submitted=without_links(values),
            rendered_content=content,
            now=clock.now(),
            end_user_id=end_user_id,
            account_id=account_id,
        )
        if won:
            files.claim(connection, used, conversation_id=run.conversation_id, run_id=run.id)
        return won

    if not await store.write(write):
        found = await store.read_quick(
            lambda connection: forms.find_by_token(connection, form.app_id, form.token or "")
        )
        raise FormClosedError(found or form)


def form_requested(form: Form) -> FormRequested:
    """What is told of a form that waits."""
    return FormRequested(
        form_id=form.id,
        node_id=form.node_id,
        node_title=form.node_title,
        content=form.content,
        inputs=[_values(one) for one in form.inputs],
        actions=[_values(one) for one in form.actions],
        display_in_ui=form.display_in_ui,
        token=form.token,
        resolved_defaults=_values(form.resolved_defaults),
        expires_at=form.expires_at,
    )


def form_closed(form: Form) -> Event:
    """What is told of a form that waits no more."""
    if form.status != "submitted":
        return FormTimedOut(node_id=form.node_id, node_title=form.node_title, expires_at=form.expires_at)
    return FormFilled(
        node_id=form.node_id,
        node_title=form.node_title,
        rendered_content=form.rendered_content or "",
        action_id=form.action_id or "",
        action_text=action_title(form),
        submitted=_values(form.submitted or {}),
    )


def form_answer(form: Form) -> dict[str, Value]:
    """What the node that asked gets; see `weft.nodes.human_input`."""
    if form.status != "submitted":
        return {"status": "expired"}
    return {
        "status": "submitted",
        "action_id": form.action_id,
        "values": _values(form.submitted or {}),
        "rendered_content": form.rendered_content,
    }


def action_title(form: Form) -> str:
    """The title of the chosen action."""
    titles = {one.get("id"): str(one.get("title") or "") for one in form.actions}
    return titles.get(form.action_id, "")


def upload_fields(form: Form) -> Sequence[str]:
    """Names of the fields that take files."""
    return [
        str(one["output_variable_name"]) for one in form.inputs if one.get("type") in ("file", "file-list")
    ]


def _values(stored: Mapping[str, object]) -> dict[str, Value]:
    return {name: revive(value) for name, value in stored.items()}


def _value(field: Mapping[str, Any], given: object, make_file: MakeFile) -> Value:
    name, kind = str(field["output_variable_name"]), field.get("type")
    if kind in ("file", "file-list"):
        return _files(field, given, make_file)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise InvalidFormError(f"Invalid value for input {name}: it must be a text")
    text = given.replace("\x00", "")
    if kind == "select":
        source = field.get("option_source") or {}
        options = source.get("value") or []
        if text not in options:
            raise InvalidFormError(f"Invalid value for input {name}: it must be one of {options}")
    return text


def _files(field: Mapping[str, Any], given: object, make_file: MakeFile) -> Value:
    """The files of a field, by the rules that fields of the start node have, too."""
    name = str(field["output_variable_name"])
    variable = StartVariable(
        variable=name,
        type=field["type"],
        max_length=field.get("number_limits"),
        **{
            key: field[key]
            for key in ("allowed_file_types", "allowed_file_extensions", "allowed_file_upload_methods")
            if field.get(key)
        },
    )
    try:
        return variable.accept(given, make_file)
    except InvalidRequestError as error:
        raise InvalidFormError(f"Invalid value for input {name}: {error}") from error
