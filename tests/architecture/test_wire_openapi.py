"""Every property of the documented Chatflow App API is in the models, and what differs is written down.

`tests/wire/chatflow_api.json` holds the facts of the OpenAPI document (operations, parameters, property
names, types, enums, codes). A difference that is not in `DIVERGENCES` fails, and so does an entry
there that is no difference any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import pytest
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from weft import wire
from weft.client._core import ERRORS
from weft.wire import WireModel

Json = dict[str, Any]

CONTRACT: Json = json.loads((Path(__file__).parent.parent / "wire/chatflow_api.json").read_text("utf-8"))

MODELS: dict[str, type[WireModel]] = {
    "AgentThoughtItem": wire.AgentThought,
    "AnnotationItem": wire.Annotation,
    "AnnotationListResponse": wire.AnnotationPage,
    "AppFeedbacksResponse": wire.FeedbackList,
    "AppInfoResponse": wire.AppInfo,
    "AppMetaResponse": wire.AppMeta,
    "AudioToTextResponse": wire.AudioToTextAnswer,
    "ChatAppParametersResponse": wire.AppParameters,
    "ChatCompletionResponse": wire.ChatAnswer,
    "ChatRequest": wire.ChatRequest,
    "ConversationHistoryResponse": wire.MessagePage,
    "ConversationListItem": wire.Conversation,
    "ConversationMessageItem": wire.Message,
    "ConversationRenameRequest": wire.ConversationRenameRequest,
    "ConversationVariableItem": wire.ConversationVariable,
    "ConversationVariableUpdateRequest": wire.VariableUpdateRequest,
    "ConversationVariablesResponse": wire.VariablePage,
    "ConversationsListResponse": wire.ConversationPage,
    "CreateAnnotationRequest": wire.AnnotationRequest,
    "EndUserDetail": wire.EndUser,
    "EndUserSummary": wire.EndUserSummary,
    "FeedbackItem": wire.Feedback,
    "FileUploadResponse": wire.FileUpload,
    "FormInput": wire.FormInput,
    "FormInputDefault": wire.FormInputDefault,
    "HumanInputContent": wire.HumanInputContent,
    "HumanInputFormDefinition": wire.FormDefinition,
    "HumanInputFormSubmissionData": wire.FormSubmissionData,
    "InitialAnnotationReplySettingsRequest": wire.AnnotationReplyRequest,
    "InitialAnnotationReplySettingsResponse": wire.AnnotationReplyJob,
    "InitialAnnotationReplySettingsStatusResponse": wire.AnnotationReplyJobStatus,
    "MessageFeedbackRequest": wire.FeedbackRequest,
    "MessageFileItem": wire.MessageFile,
    "ParagraphControl": wire.FormControl,
    "RetrieverResource": wire.RetrieverResource,
    "SelectControl": wire.FormControl,
    "SuggestedQuestionsResponse": wire.SuggestedQuestions,
    "TextInputControl": wire.FormControl,
    "TextToAudioRequest": wire.TextToAudioRequest,
    "ToolIconDetail": wire.ToolIcon,
    "UpdateAnnotationRequest": wire.AnnotationRequest,
    "Usage": wire.Usage,
    "UserAction": wire.FormAction,
    "WebAppSettingsResponse": wire.Site,
    "WorkflowLogItem": wire.WorkflowLog,
    "WorkflowLogsResponse": wire.WorkflowLogPage,
    "WorkflowRunDetailResponse": wire.RunDetail,
    "WorkflowRunSummary": wire.RunSummary,
}

WITHOUT_MODEL = {
    "AudioToTextRequest": "a multipart form, read part by part",
    "ChunkChatEvent": "the union of all events",
    "ParagraphControlWrapper": "one-key object, a dict in AppParameters.user_input_form",
    "StreamEventBase": "the keys that all events share",
    "SelectControlWrapper": "one-key object, a dict in AppParameters.user_input_form",
    "TextInputControlWrapper": "one-key object, a dict in AppParameters.user_input_form",
    "UserInputFormItem": "one-key object, a dict in AppParameters.user_input_form",
}

QUERIES: dict[str, type[WireModel]] = {
    "GET /app/feedbacks": wire.FeedbacksQuery,
    "GET /apps/annotations": wire.AnnotationsQuery,
    "GET /conversations": wire.ConversationsQuery,
    "GET /conversations/{conversation_id}/variables": wire.VariablesQuery,
    "GET /files/{file_id}/preview": wire.FilePreviewQuery,
    "GET /messages": wire.MessagesQuery,
    "GET /messages/{message_id}/suggested": wire.SuggestedQuery,
    "GET /workflows/logs": wire.WorkflowLogsQuery,
}

DIVERGENCES: dict[str, set[str]] = {
    "the code accepts and ignores them": {
        "ChatRequest.parent_message_id: added",
        "ChatRequest.retriever_from: added",
    },
    "ignored unless the app takes files; parse_file_inputs reads the items then": {
        "ChatRequest.files: untyped",
    },
    "the code falls back to the shared user": {
        "ConversationRenameRequest.user: optional",
    },
    "a run that waits for a person answers with these, in blocking mode": {
        "ChatCompletionResponse.data: added",
        "ChatCompletionResponse.workflow_run_id: added",
    },
    "usage has two timings more": {
        "ChatCompletionResponse.metadata.usage.time_to_first_token: added",
        "ChatCompletionResponse.metadata.usage.time_to_generate: added",
        "Usage.time_to_first_token: added",
        "Usage.time_to_generate: added",
        "message_end.metadata.usage.time_to_first_token: added",
        "message_end.metadata.usage.time_to_generate: added",
    },
    "metadata tells of an annotation's answer": {
        "ChatCompletionResponse.metadata.annotation_reply: added",
        "message_end.metadata.annotation_reply: added",
    },
    "configured settings are passed through whole": {
        "ChatAppParametersResponse.file_upload.allowed_file_extensions: added",
        "ChatAppParametersResponse.file_upload.allowed_file_types: added",
        "ChatAppParametersResponse.file_upload.allowed_file_upload_methods: added",
        "ChatAppParametersResponse.file_upload.enabled: added",
        "ChatAppParametersResponse.file_upload.fileUploadConfig: added",
        "ChatAppParametersResponse.file_upload.number_limits: added",
        "ChatAppParametersResponse.sensitive_word_avoidance.configs: added",
        "ChatAppParametersResponse.sensitive_word_avoidance.type: added",
    },
    "there are eight kinds of controls, with fields of their own": {
        "ParagraphControl.allowed_file_extensions: added",
        "ParagraphControl.allowed_file_types: added",
        "ParagraphControl.allowed_file_upload_methods: added",
        "ParagraphControl.hide: added",
        "ParagraphControl.max_length: added",
        "ParagraphControl.options: added",
        "ParagraphControl.placeholder: added",
        "ParagraphControl.type: added",
        "SelectControl.allowed_file_extensions: added",
        "SelectControl.allowed_file_types: added",
        "SelectControl.allowed_file_upload_methods: added",
        "SelectControl.hide: added",
        "SelectControl.max_length: added",
        "SelectControl.placeholder: added",
        "SelectControl.type: added",
        "TextInputControl.allowed_file_extensions: added",
        "TextInputControl.allowed_file_types: added",
        "TextInputControl.allowed_file_upload_methods: added",
        "TextInputControl.hide: added",
        "TextInputControl.max_length: added",
        "TextInputControl.options: added",
        "TextInputControl.placeholder: added",
        "TextInputControl.type: added",
    },
    "the ping never has a body; one that has is read like other events": {
        "ping.conversation_id: added",
        "ping.created_at: added",
        "ping.message_id: added",
        "ping.task_id: added",
    },
    "the message event names its message and the source of its text": {
        "message.from_variable_selector: added",
        "message.id: added",
    },
    "message_end lists files": {
        "message_end.files: added",
    },
    "message_file has the keys that all events have": {
        "message_file.created_at: added",
        "message_file.message_id: added",
        "message_file.task_id: added",
    },
    "node events tell what was cut, and the agent's strategy": {
        "node_finished.data.agent_strategy: added",
        "node_finished.data.extras: added",
        "node_finished.data.inputs_truncated: added",
        "node_finished.data.outputs_truncated: added",
        "node_finished.data.process_data_truncated: added",
        "node_retry.data.agent_strategy: added",
        "node_retry.data.extras: added",
        "node_retry.data.inputs_truncated: added",
        "node_retry.data.outputs_truncated: added",
        "node_retry.data.process_data_truncated: added",
        "node_started.data.agent_strategy: added",
        "node_started.data.inputs_truncated: added",
    },
    "iteration and loop events tell inputs, metadata and what was cut": {
        "iteration_completed.data.execution_metadata: added",
        "iteration_completed.data.extras: added",
        "iteration_completed.data.inputs: added",
        "iteration_completed.data.inputs_truncated: added",
        "iteration_completed.data.outputs_truncated: added",
        "iteration_started.data.inputs_truncated: added",
        "loop_completed.data.execution_metadata: added",
        "loop_completed.data.extras: added",
        "loop_completed.data.inputs: added",
        "loop_completed.data.inputs_truncated: added",
        "loop_completed.data.outputs_truncated: added",
        "loop_started.data.inputs_truncated: added",
    },
    "the end of a run tells who started it": {
        "workflow_finished.data.created_by: added",
    },
    "a form tells whether and how it is shown": {
        "human_input_required.data.display_in_ui: added",
        "human_input_required.data.resolved_default_values: added",
    },
    "newer servers name the run; workflow apps name it in every event": {
        "agent_log.workflow_run_id: added",
        "error.workflow_run_id: added",
        "text_chunk.workflow_run_id: added",
        "text_replace.workflow_run_id: added",
        "workflow_paused.workflow_run_id: added",
    },
}
"""Differences that are meant, by the reason for them."""


def test_every_documented_schema_has_a_model_or_a_reason() -> None:
    events = set(CONTRACT["events"].values())
    assert set(CONTRACT["schemas"]) == set(MODELS) | set(WITHOUT_MODEL) | events


def test_every_documented_event_is_in_the_union_and_the_others_are_recorded() -> None:
    ours = {_event_name(kind) for kind in _event_kinds()}
    assert ours - set(CONTRACT["events"]) == {"agent_message", "agent_thought", "reasoning_chunk"}
    assert set(CONTRACT["events"]) <= ours


def test_models_differ_from_the_document_only_as_recorded() -> None:
    found = set()
    for schema, model in MODELS.items():
        found |= set(_differences(CONTRACT["schemas"][schema], model, schema))
    kinds = {_event_name(kind): kind for kind in _event_kinds()}
    for event, schema in CONTRACT["events"].items():
        found |= set(_differences(CONTRACT["schemas"][schema], kinds[event], event))
    assert found == set().union(*DIVERGENCES.values())


def test_every_query_string_is_read_with_the_documented_limits_and_defaults() -> None:
    for operation, facts in CONTRACT["operations"].items():
        documented = {n: p for n, p in facts["parameters"].items() if p["in"] == "query"}
        if documented:
            assert _parameters(documented) == _our_parameters(QUERIES[operation], set(documented)), operation


def test_every_documented_error_code_is_turned_back_into_a_class() -> None:
    codes = {code for facts in CONTRACT["operations"].values() for _, code in facts["errors"]}
    assert codes - set(ERRORS) == set()


@pytest.mark.parametrize("schema", [*MODELS, *CONTRACT["events"]])
def test_a_documented_object_goes_through_its_model_unchanged(schema: str) -> None:
    if schema in MODELS:
        sample = _sample(CONTRACT["schemas"][schema])
        written = MODELS[schema].model_validate_json(json.dumps(sample)).to_json()
    else:
        sample = {**cast(Json, _sample(CONTRACT["schemas"][CONTRACT["events"][schema]])), "event": schema}
        event = wire.parse_stream_event(json.dumps(sample).encode())
        assert not isinstance(event, wire.UnknownEvent), event.problem
        written = wire.encode_stream_event(event)
    assert _common(json.loads(written), sample) == sample


def _differences(documented: Json, model: type[WireModel], where: str) -> Iterator[str]:
    ours = _fields(model)
    schema = model.model_json_schema()
    facts = {n: fact for n, fact in documented.get("properties", {}).items() if n != "event"}
    for name, fact in facts.items():
        field = ours.pop(name, None)
        if field is None:
            yield f"{where}.{name}: missing"
            continue
        yield from _difference(fact, field, schema, name, f"{where}.{name}")
        if where.endswith("Request") and field.is_required() != (name in documented.get("required", [])):
            yield f"{where}.{name}: {'required' if field.is_required() else 'optional'}"
    yield from (f"{where}.{name}: added" for name in ours if name != "event")


def _difference(fact: Json, field: FieldInfo, schema: Json, name: str, where: str) -> Iterator[str]:
    fact = _resolved(fact)
    accepted = _accepted(schema["properties"][name], schema)
    kind = "string" if fact.get("format") == "decimal" else fact.get("type")
    if accepted is not None and kind is not None and kind not in accepted:
        yield f"{where}: {kind} is not among {sorted(accepted)}"
    if fact.get("nullable") and not _takes_null(field):
        yield f"{where}: null is refused"
    for value in fact.get("enum", []):
        if not _takes(field, value):
            yield f"{where}: {value!r} is refused"
    inner = _resolved(fact["items"]) if fact.get("type") == "array" else fact
    if inner.get("properties"):
        nested = _model_in(field.annotation)
        if nested is None:
            yield f"{where}: untyped"
        else:
            yield from _differences(inner, nested, where)


def _fields(model: type[WireModel]) -> dict[str, FieldInfo]:
    hidden = {name for name, field in model.model_fields.items() if field.exclude}
    return {f.alias or n: f for n, f in model.model_fields.items() if n not in hidden}


def _resolved(fact: Json) -> Json:
    return cast(Json, CONTRACT["schemas"][fact["$ref"]]) if "$ref" in fact else fact


def _accepted(schema: Json, root: Json) -> set[str] | None:
    """JSON types that a schema admits; ``None`` for all."""
    if "$ref" in schema:
        return _accepted(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        parts = [_accepted(part, root) for part in schema["anyOf"]]
        return None if None in parts else set().union(*(part for part in parts if part))
    if "type" not in schema:
        return None
    return {schema["type"], "integer"} if schema["type"] == "number" else {schema["type"]}


def _adapter(field: FieldInfo) -> TypeAdapter[object]:
    annotated: Any = Annotated
    return TypeAdapter(annotated[(field.annotation, *field.metadata, Field())])


def _takes(field: FieldInfo, value: object) -> bool:
    try:
        _adapter(field).validate_python(value)
    except ValidationError:
        return False
    return True


def _takes_null(field: FieldInfo) -> bool:
    return _takes(field, None)


def _model_in(annotation: object) -> type[WireModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, WireModel):
        return annotation
    found = (_model_in(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _event_kinds() -> tuple[type[WireModel], ...]:
    return get_args(get_args(wire.StreamEvent)[0])


def _event_name(kind: type[WireModel]) -> str:
    return cast(str, get_args(kind.model_fields["event"].annotation)[0])


def _parameters(documented: Mapping[str, Json]) -> dict[str, Json]:
    known = ("default", "minimum", "maximum", "minLength", "maxLength", "enum")
    return {
        name: {"required": fact["required"], **{key: fact[key] for key in known if key in fact}}
        for name, fact in documented.items()
    }


def _our_parameters(model: type[WireModel], names: set[str]) -> dict[str, Json]:
    known = ("default", "minimum", "maximum", "minLength", "maxLength", "enum")
    schema = model.model_json_schema()
    found = {}
    for name in names:
        fact = schema["properties"][name]
        merged = {**fact, **next((part for part in fact.get("anyOf", []) if part["type"] != "null"), {})}
        if merged.get("default", 0) is None:
            del merged["default"]
        found[name] = {
            "required": name in schema.get("required", []),
            **{key: merged[key] for key in known if key in merged},
        }
    return found


def _sample(fact: Json) -> object:
    """A value as the document describes it."""
    fact = _resolved(fact)
    if "enum" in fact:
        return fact["enum"][0]
    if "properties" in fact:
        return {name: _sample(inner) for name, inner in fact["properties"].items()}
    if fact.get("type") == "array":
        return [] if "oneOf" in _resolved(fact["items"]) else [_sample(fact["items"])]
    if fact.get("format") == "decimal":
        return "0.0010"
    plain = {"string": "11111111-2222-4333-8444-555555555555", "integer": 1, "number": 0.5, "boolean": True}
    return plain.get(fact.get("type", ""), {})


def _common(written: object, sample: object) -> object:
    """What was written, without the keys that the sample does not have."""
    if isinstance(written, dict) and isinstance(sample, dict):
        return {key: _common(written[key], value) for key, value in sample.items() if key in written}
    if isinstance(written, list) and isinstance(sample, list):
        return [_common(left, right) for left, right in zip(written, sample, strict=True)]
    return written
