from __future__ import annotations

import pytest
from pydantic import ValidationError

from weft import wire
from weft.errors import InvalidRequestError
from weft.wire import WireModel

UUID = "01234567-89ab-4def-8123-456789abcdef"
CHAT: dict[str, object] = {"inputs": {}, "query": "hi", "user": "u1"}


def refusal(model: type[WireModel], fields: dict[str, object]) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        wire.parse_request(model, fields)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": None}, "Arg user must be provided."),
        ({"user": ""}, "Arg user must be provided."),
        ({"user": [1]}, "user must be a string"),
        ({"user": True}, "user must be a string"),
        ({"user": "x" * 256}, "user must be at most 255 characters long"),
        ({"query": ""}, "query is required"),
        ({"query": "\x00"}, "query is required"),
        ({"query": 5}, "query: Input should be a valid string"),
        ({"inputs": None}, "inputs: Input should be a valid dictionary"),
        ({"response_mode": "fast"}, "response_mode: Input should be 'blocking' or 'streaming'"),
        ({"conversation_id": "xyz"}, "conversation_id must be a valid UUID"),
        ({"conversation_id": 5}, "conversation_id must be a valid UUID"),
        ({"conversation_id": "urn:uuid:" + UUID}, "conversation_id must be a valid UUID"),
        ({"files": {}}, "files: Input should be a valid list"),
        (
            {"auto_generate_name": "maybe"},
            "auto_generate_name: Input should be a valid boolean, unable to interpret input",
        ),
        ({"query": "", "conversation_id": "x"}, "query is required; conversation_id must be a valid UUID"),
        ({"query": "", "user": ""}, "Arg user must be provided."),
    ],
)
def test_a_bad_chat_request_is_refused_with_the_contracts_sentence(
    change: dict[str, object], message: str
) -> None:
    assert refusal(wire.ChatRequest, {**CHAT, **change}) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Arg user must be provided."),
        ({"user": "u1"}, "inputs: Field required; query: Field required"),
        ({"user": "u1", "query": "x"}, "inputs: Field required"),
    ],
)
def test_the_user_is_missed_before_anything_else(given: dict[str, object], message: str) -> None:
    assert refusal(wire.ChatRequest, given) == message


def test_a_refusal_names_its_fields_and_no_values() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        wire.parse_request(wire.ChatRequest, {**CHAT, "query": 4711, "conversation_id": "secret"})
    assert caught.value.fields == {
        "query": "Input should be a valid string",
        "conversation_id": "conversation_id must be a valid UUID",
    }
    assert "4711" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_chat_request_is_read_with_defaults_and_normalised() -> None:
    request = wire.parse_request(
        wire.ChatRequest,
        {
            **CHAT,
            "query": "a\x00b",
            "user": 42,
            "conversation_id": " {" + UUID.upper().replace("-", "") + "} ",
            "workflow_id": "",
            "auto_generate_name": "no",
            "parent_message_id": UUID,
            "something": "else",
        },
    )
    assert request.to_dict() == {
        "inputs": {},
        "query": "ab",
        "user": "42",
        "response_mode": None,
        "conversation_id": UUID,
        "files": None,
        "auto_generate_name": False,
        "workflow_id": None,
        "retriever_from": "dev",
        "parent_message_id": UUID,
        "something": "else",
    }
    assert request.streaming is False
    assert wire.parse_request(wire.ChatRequest, {**CHAT, "response_mode": "streaming"}).streaming


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_blank_conversation_id_begins_a_new_conversation(blank: object) -> None:
    assert wire.parse_request(wire.ChatRequest, {**CHAT, "conversation_id": blank}).conversation_id is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [(True, True), (0, False), ("Yes", True), ("OFF", False), ("1", True), ("false", False)],
)
def test_booleans_are_read_leniently(said: object, meant: bool) -> None:
    assert wire.parse_request(wire.FilePreviewQuery, {"as_attachment": said}).as_attachment is meant


@pytest.mark.parametrize("mode", [None, "blocking", "streaming"])
def test_every_documented_response_mode_is_taken(mode: object) -> None:
    assert wire.parse_request(wire.ChatRequest, {**CHAT, "response_mode": mode}).response_mode == mode


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (wire.ConversationRenameRequest, {}, "name is required when auto_generate is false"),
        (wire.ConversationRenameRequest, {"name": "  "}, "name is required when auto_generate is false"),
        (wire.ConversationRenameRequest, {"name": "x" * 256}, "name must be at most 255 characters long"),
        (wire.ConversationsQuery, {"limit": "0"}, "limit: Input should be greater than or equal to 1"),
        (wire.ConversationsQuery, {"limit": "101"}, "limit: Input should be less than or equal to 100"),
        (wire.ConversationsQuery, {"limit": "x"}, "limit must be an integer"),
        (wire.ConversationsQuery, {"limit": "1_0"}, "limit must be an integer"),
        (wire.ConversationsQuery, {"limit": "9" * 5000}, "limit must be an integer"),
        (
            wire.ConversationsQuery,
            {"sort_by": "name"},
            "sort_by: Input should be 'created_at', '-created_at', 'updated_at' or '-updated_at'",
        ),
        (wire.ConversationsQuery, {"last_id": "abc"}, "last_id must be a valid UUID"),
        (wire.MessagesQuery, {}, "conversation_id: Field required"),
        (wire.MessagesQuery, {"conversation_id": "abc"}, "conversation_id must be a valid UUID"),
        (wire.MessagesQuery, {"conversation_id": f" {UUID}"}, "conversation_id must be a valid UUID"),
        (wire.MessagesQuery, {"conversation_id": UUID, "first_id": "1"}, "first_id must be a valid UUID"),
        (
            wire.VariablesQuery,
            {"variable_name": "a b"},
            "Variable name can only contain letters, numbers, hyphens (-), underscores (_), and periods (.)",
        ),
        (
            wire.VariablesQuery,
            {"variable_name": ""},
            "variable_name: String should have at least 1 character",
        ),
        (wire.VariableUpdateRequest, {"user": "u1"}, "value: Field required"),
        (
            wire.FeedbackRequest,
            {"user": "u1", "rating": "meh"},
            "rating: Input should be 'like' or 'dislike'",
        ),
        (wire.FeedbackRequest, {"rating": "like"}, "Arg user must be provided."),
        (wire.FeedbacksQuery, {"limit": "102"}, "limit: Input should be less than or equal to 101"),
        (wire.FeedbacksQuery, {"page": "0"}, "page: Input should be greater than or equal to 1"),
        (
            wire.WorkflowLogsQuery,
            {"status": "running"},
            "status: Input should be 'succeeded', 'failed' or 'stopped'",
        ),
        (wire.WorkflowLogsQuery, {"page": "100000"}, "page: Input should be less than or equal to 99999"),
        (
            wire.WorkflowLogsQuery,
            {"created_at__after": "yesterday"},
            "created_at__after must be an ISO 8601 date or time",
        ),
        (wire.AnnotationRequest, {"question": "q"}, "answer: Field required"),
        (
            wire.AnnotationReplyRequest,
            {"score_threshold": 2, "embedding_provider_name": "p", "embedding_model_name": "m"},
            "score_threshold: Input should be less than or equal to 1",
        ),
        (wire.WorkflowRunRequest, {"user": "u1"}, "inputs: Field required"),
        (wire.FormSubmitRequest, {"inputs": {}, "action": "yes"}, "Arg user must be provided."),
    ],
)
def test_a_bad_request_is_refused_with_the_contracts_sentence(
    model: type[WireModel], fields: dict[str, object], message: str
) -> None:
    assert refusal(model, fields) == message


def test_renaming_by_itself_wins_over_a_name() -> None:
    request = wire.parse_request(wire.ConversationRenameRequest, {"name": "x" * 300, "auto_generate": "true"})
    assert (request.auto_generate, request.user) == (True, None)


def test_queries_have_the_documented_defaults_and_empty_means_not_given() -> None:
    assert wire.parse_request(
        wire.ConversationsQuery, {"last_id": "", "user": "", "pinned": "true"}
    ).to_dict() == {
        "user": None,
        "last_id": None,
        "limit": 20,
        "sort_by": "-updated_at",
        "pinned": "true",
    }
    assert wire.parse_request(wire.MessagesQuery, {"conversation_id": ""}).conversation_id is None
    assert wire.parse_request(wire.VariablesQuery, {"variable_name": "sp_a.b-c", "limit": "7"}).limit == 7


def test_log_filters_are_cut_and_turned_into_instants() -> None:
    query = wire.parse_request(
        wire.WorkflowLogsQuery,
        {
            "keyword": "k" * 40,
            "created_at__before": "2024-05-01T02:00:00+02:00",
            "created_at__after": "2024-05-01",
            "created_by_account": "",
        },
    )
    assert query.keyword == "k" * 30
    assert query.created_at__before == query.created_at__after == wire.parse_instant(1714521600)
    assert query.created_by_account is None


@pytest.mark.parametrize("nonsense", ["abc", "0", "-1", "1.5", "", None, "٣", "9" * 40])
def test_annotation_pages_that_make_no_sense_fall_back(nonsense: object) -> None:
    query = wire.parse_request(wire.AnnotationsQuery, {"page": nonsense, "limit": nonsense})
    assert (query.page, query.limit) == (1, 20)
    assert wire.parse_request(wire.AnnotationsQuery, {"page": "3", "limit": 500}).limit == 500


def test_the_user_is_read_before_the_rest_of_a_body() -> None:
    assert wire.read_user({"user": 7}, required=True) == "7"
    assert wire.read_user({"query": 5}, required=False) == wire.DEFAULT_USER
    assert wire.read_user({"user": ""}, required=False) == wire.DEFAULT_USER
    with pytest.raises(InvalidRequestError, match=r"^Arg user must be provided\.$"):
        wire.read_user({}, required=True)


def test_only_given_fields_are_sent() -> None:
    body = wire.encode_request(
        wire.ChatRequest, {**CHAT, "files": [wire.FileInput.remote("http://x/a.png", "image")]}
    )
    assert body == (
        b'{"inputs":{},"query":"hi","user":"u1",'
        b'"files":[{"type":"image","transfer_method":"remote_url","url":"http://x/a.png"}]}'
    )


def test_a_value_that_is_not_jsons_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        wire.encode_request(wire.ChatRequest, {**CHAT, "inputs": {"x": object()}})


def test_an_answer_that_cannot_be_read_tells_where_and_not_what() -> None:
    with pytest.raises(ValueError, match=r"^data\.0\.id: Field required$"):
        wire.parse_answer(wire.ConversationPage, b'{"data":[{"name":"private"}]}')
    with pytest.raises(ValueError, match="Invalid JSON"):
        wire.parse_answer(wire.ConversationPage, b"<html>")


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError):
        wire.parse_request(wire.ChatRequest, CHAT).query = "other"
