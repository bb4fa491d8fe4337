"""Human input: the form a paused run waits for. Source: Dify service API, `/form/human_input`."""

from __future__ import annotations

from pydantic import Field

from weft.wire._field import JsonObject, ListOf, Object, Part, Text, User
from weft.wire._model import WireModel


class FormInputDefault(WireModel):
    """Where the first value of a form field comes from."""

    type: Text = "constant"
    """``variable`` or ``constant``."""
    selector: ListOf[str] = Field(default_factory=list)
    """Path of the variable."""
    value: str | None = ""
    """The constant."""


class FormInput(WireModel):
    """One field of a form."""

    type: Text = "text_input"
    """``text_input``, ``paragraph``, ..."""
    output_variable_name: Text = ""
    default: FormInputDefault | None = None


class FormAction(WireModel):
    """One way to send a form off; it decides where the run goes on."""

    id: Text = ""
    """At most 20 characters."""
    title: Text = ""
    button_style: Text = "default"
    """``primary``, ``default``, ``accent`` or ``ghost``."""


class FormDefinition(WireModel):
    """A form as its message shows it."""

    form_id: str
    node_id: Text = ""
    node_title: Text = ""
    form_content: Text = ""
    """Markdown, values filled in, with placeholders where the fields go."""
    inputs: ListOf[FormInput] = Field(default_factory=list)
    actions: ListOf[FormAction] = Field(default_factory=list)
    display_in_ui: bool = False
    form_token: str | None = None
    """Key to `GET` and `POST` the form; ``None`` once submitted or when delivered by other ways."""
    resolved_default_values: Object = Field(default_factory=dict)
    expiration_time: int | None = None
    """Unix seconds."""


class FormSubmissionData(WireModel):
    """What a person made of a form."""

    node_id: Text = ""
    node_title: Text = ""
    rendered_content: Text = ""
    """Markdown with the answers filled in."""
    action_id: Text = ""
    action_text: Text = ""


class HumanInputContent(WireModel):
    """A form within the message whose run asked for it."""

    type: Text = "human_input"
    workflow_run_id: str | None = None
    submitted: bool = False
    form_definition: FormDefinition | None = None
    form_submission_data: FormSubmissionData | None = None


class HumanInputForm(WireModel):
    """A form that waits to be filled in, read by its token."""

    form_content: Text = ""
    inputs: ListOf[FormInput] = Field(default_factory=list)
    resolved_default_values: Part[dict[str, str]] = Field(default_factory=dict)
    """Texts: null is empty, objects and lists are JSON text."""
    user_actions: ListOf[FormAction] = Field(default_factory=list)
    expiration_time: int | None = None
    """Unix seconds."""


class FormSubmitRequest(WireModel):
    """Body that fills a form in."""

    user: User
    inputs: JsonObject
    """Values by `output_variable_name`; unknown names are ignored."""
    action: str
    """Id of one of the form's actions."""
