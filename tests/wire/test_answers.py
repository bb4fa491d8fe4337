"""What servers of different ages send, and what the models make of it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from weft import wire

USAGE = {
    "prompt_tokens": 3,
    "prompt_unit_price": "0.001",
    "prompt_price_unit": "0.001",
    "prompt_price": "0E-7",
    "completion_tokens": 4,
    "completion_unit_price": "0.002",
    "completion_price_unit": "0.001",
    "completion_price": "0.0000080",
    "total_tokens": 7,
    "total_price": "0.0000080",
    "currency": "USD",
    "latency": 0.5,
    "time_to_first_token": None,
    "time_to_generate": None,
}
ANSWER: dict[str, object] = {
    "event": "message",
    "task_id": "t1",
    "id": "m1",
    "message_id": "m1",
    "conversation_id": "c1",
    "mode": "advanced-chat",
    "answer": "hello",
    "metadata": {"annotation_reply": None, "retriever_resources": [], "usage": USAGE},
    "created_at": 1700000000,
}


def test_an_answer_goes_through_unchanged_with_prices_as_text() -> None:
    answer = wire.ChatAnswer.model_validate_json(json.dumps(ANSWER))
    assert json.loads(answer.to_json()) == answer.to_dict() == ANSWER
    assert wire.ChatAnswer.from_dict(answer.to_dict()) == answer
    assert answer.metadata.usage.total_price == Decimal("0.0000080")
    assert answer.created_datetime == wire.parse_instant(1700000000)
    assert not answer.paused


def test_an_annotations_answer_keeps_its_key_absent() -> None:
    metadata = {"retriever_resources": [], "usage": USAGE}
    assert wire.ChatAnswer.from_dict({**ANSWER, "metadata": metadata}).to_dict()["metadata"] == metadata


def test_prices_may_be_numbers_and_nulls_are_zero() -> None:
    usage = wire.Usage.from_dict(
        {"total_price": 0.001, "prompt_price": 2, "prompt_tokens": None, "latency": None}
    )
    assert (usage.total_price, usage.prompt_price, usage.prompt_tokens) == (Decimal("0.001"), Decimal(2), 0)
    assert usage.to_dict()["total_price"] == "0.001"


def test_an_answer_without_models_shows_zeros() -> None:
    assert wire.Usage().to_dict() == {
        **dict.fromkeys(USAGE, "0"),
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "currency": "USD",
        "latency": 0.0,
        "time_to_first_token": None,
        "time_to_generate": None,
    }


def test_a_paused_answer_tells_why() -> None:
    data = {
        "id": "m1",
        "answer": "so far",
        "paused_nodes": ["h"],
        "reasons": [{"TYPE": "human_input_required"}],
    }
    answer = wire.ChatAnswer.from_dict(
        {**ANSWER, "event": "workflow_paused", "workflow_run_id": "r1", "data": {**data, "status": "paused"}}
    )
    assert answer.paused
    assert answer.data is not None
    assert answer.data.reasons == [{"TYPE": "human_input_required"}]
    assert answer.to_dict()["workflow_run_id"] == "r1"


def test_unknown_keys_are_kept() -> None:
    conversation = wire.Conversation.from_dict({"id": "c1", "name": None, "inputs": None, "pinned": True})
    assert (conversation.name, conversation.inputs, dict(conversation.extra)) == ("", {}, {"pinned": True})
    assert conversation.to_dict()["pinned"] is True
    assert conversation.to_dict(include_none=False) == {
        "id": "c1",
        "name": "",
        "inputs": {},
        "status": "normal",
        "pinned": True,
    }


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [({"sys.query": "hi"}, {"answer": "x"}), ('{"sys.query": "hi"}', '{"answer": "x"}')],
)
def test_a_runs_values_may_be_objects_or_their_text(inputs: object, outputs: object) -> None:
    run = wire.RunDetail.from_dict({"id": "r1", "status": "succeeded", "inputs": inputs, "outputs": outputs})
    assert (run.inputs, run.outputs) == ({"sys.query": "hi"}, {"answer": "x"})
    assert run.status.is_success


def test_a_runs_values_that_are_no_object_are_refused() -> None:
    with pytest.raises(ValueError, match="must be a JSON object or its text"):
        wire.RunDetail.from_dict({"id": "r1", "status": "succeeded", "inputs": "{"})
    assert wire.RunDetail.from_dict({"id": "r1", "status": "running", "outputs": ""}).outputs is None


def test_a_status_nobody_knows_is_kept() -> None:
    run = wire.RunDetail.from_dict({"id": "r1", "status": "postponed"})
    assert run.status == "postponed"
    assert (run.status.is_finished, run.to_dict()["status"]) == (False, "postponed")
    assert wire.RunStatus("failed") is wire.RunStatus.FAILED
    assert [s for s in wire.RunStatus if s.is_finished] == [
        "succeeded",
        "failed",
        "stopped",
        "partial-succeeded",
    ]


def test_a_workflow_result_has_its_pause_only_while_paused() -> None:
    result = wire.WorkflowResult(id="r1", status=wire.RunStatus.SUCCEEDED)
    assert result.to_dict() == {
        "id": "r1",
        "workflow_id": None,
        "status": "succeeded",
        "outputs": {},
        "error": None,
        "elapsed_time": 0.0,
        "total_tokens": 0,
        "total_steps": 0,
        "created_at": None,
        "finished_at": None,
    }
    assert result.finished_datetime is None
    paused = wire.WorkflowResult(id="r1", status=wire.RunStatus.PAUSED, paused_nodes=["h"], reasons=[])
    assert {"paused_nodes", "reasons"} <= set(paused.to_dict())


@pytest.mark.parametrize(
    ("value_type", "text", "value"),
    [
        ("object", '{"a": 1}', {"a": 1}),
        ("object", "{'a': 1}", {"a": 1}),
        ("boolean", "true", True),
        ("boolean", "True", True),
        ("number", "2.5", 2.5),
        ("array[string]", "['x']", ["x"]),
        ("string", "5", "5"),
        ("secret", "true", "true"),
        ("object", "<?>", "<?>"),
        ("object", "[" * 100_000, "[" * 100_000),
        ("number", None, None),
    ],
)
def test_a_variables_text_is_parsed_by_its_type(value_type: str, text: str | None, value: object) -> None:
    variable = wire.ConversationVariable(id="v", name="n", value_type=value_type, value=text)
    assert variable.parsed_value == value


def test_parameters_of_an_app_without_settings_are_the_documented_defaults() -> None:
    assert wire.AppParameters().to_dict() == {
        "opening_statement": None,
        "suggested_questions": [],
        "suggested_questions_after_answer": {"enabled": False},
        "speech_to_text": {"enabled": False},
        "text_to_speech": {"enabled": False},
        "retriever_resource": {"enabled": False},
        "annotation_reply": {"enabled": False},
        "more_like_this": {"enabled": False},
        "user_input_form": [],
        "sensitive_word_avoidance": {"enabled": False, "type": "", "configs": []},
        "file_upload": {
            "image": {
                "enabled": False,
                "number_limits": 3,
                "detail": "high",
                "transfer_methods": ["remote_url", "local_file"],
            }
        },
        "system_parameters": {
            "image_file_size_limit": 10,
            "video_file_size_limit": 100,
            "audio_file_size_limit": 50,
            "file_size_limit": 15,
            "workflow_file_upload_limit": 10,
        },
    }


def test_configured_settings_pass_through_whole() -> None:
    given = {
        "text_to_speech": {"enabled": True, "voice": None, "autoPlay": "enabled", "speed": 2},
        "file_upload": {"image": {"enabled": True}, "enabled": True, "fileUploadConfig": {"x": 1}},
        "user_input_form": [{"select": {"label": "Level", "variable": "level", "options": ["low"]}}],
    }
    parameters = wire.AppParameters.from_dict(given)
    dumped = parameters.to_dict()
    assert dumped["text_to_speech"] == given["text_to_speech"]
    assert parameters.text_to_speech.auto_play == "enabled"
    assert parameters.file_upload.file_upload_config == {"x": 1}
    assert dumped["user_input_form"] == [
        {"select": {"label": "Level", "variable": "level", "required": False, "options": ["low"]}}
    ]
    assert [(kind, control.variable) for kind, control in parameters.controls] == [("select", "level")]


def test_times_with_and_without_a_zone_are_utc() -> None:
    feedback = wire.Feedback(
        id="f", rating="like", created_at="2024-05-01T10:00:00", updated_at="2024-05-01T10:00:00Z"
    )
    assert (
        feedback.created_datetime
        == feedback.updated_datetime
        == wire.parse_instant("2024-05-01T12:00:00+02:00")
    )


def test_an_error_body_may_carry_old_keys() -> None:
    body = wire.ErrorBody(code="not_found", message="x", status=404)
    assert body.to_json() == b'{"code":"not_found","message":"x","status":404}'
    assert wire.ErrorBody.from_dict({**body.to_dict(), "params": "name"}).params == "name"
