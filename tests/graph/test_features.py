from __future__ import annotations

import pytest

from tests.graph.apps import app_text
from weft.errors import GraphError
from weft.graph import load_app

OLD_UPLOAD = {"image": {"enabled": False, "number_limits": 3, "transfer_methods": ["local_file"]}}
NEW_UPLOAD = {
    "enabled": True,
    "allowed_file_types": ["image"],
    "allowed_file_extensions": [".JPG"],
    "allowed_file_upload_methods": ["local_file", "remote_url"],
    "number_limits": 3,
    "image": {"enabled": False},
    "fileUploadConfig": {"file_size_limit": 15},
}


@pytest.mark.parametrize("upload", [OLD_UPLOAD, NEW_UPLOAD], ids=["old", "new"])
def test_features_are_kept_as_the_file_has_them(upload: object) -> None:
    features = {
        "opening_statement": "Hello",
        "suggested_questions": ["Why?"],
        "suggested_questions_after_answer": {"enabled": False},
        "speech_to_text": {"enabled": False},
        "text_to_speech": {"enabled": True, "voice": "", "language": "", "autoPlay": "enabled"},
        "retriever_resource": {},
        "sensitive_word_avoidance": {"enabled": False},
        "file_upload": upload,
        "something_new": 3,
    }
    assert load_app(app_text(workflow={"features": features})).features == features


def test_what_is_null_counts_as_absent() -> None:
    features: dict[str, object] = {"opening_statement": None, "file_upload": None, "suggested_questions": []}
    assert load_app(app_text(workflow={"features": features})).features == {"suggested_questions": []}
    assert load_app(app_text(workflow={"features": None})).features == {}


def test_every_feature_of_a_wrong_shape_is_reported() -> None:
    features = {
        "opening_statement": ["Hello"],
        "suggested_questions": ["Why?", 3],
        "speech_to_text": True,
        "retriever_resource": {"enabled": "yes"},
        "file_upload": {"image": []},
    }
    with pytest.raises(GraphError) as caught:
        load_app(app_text(workflow={"features": features}))
    assert [(problem.code, problem.path, problem.message) for problem in caught.value.problems] == [
        (
            "graph.invalid_features",
            "workflow.features.opening_statement",
            "features.opening_statement must be a text, but is a list",
        ),
        (
            "graph.invalid_features",
            "workflow.features.suggested_questions[1]",
            "features.suggested_questions[1] must be a text, but is a number",
        ),
        (
            "graph.invalid_features",
            "workflow.features.speech_to_text",
            "features.speech_to_text must be a mapping, but is a boolean",
        ),
        (
            "graph.invalid_features",
            "workflow.features.retriever_resource.enabled",
            "features.retriever_resource.enabled must be true or false, but is a text",
        ),
        (
            "graph.invalid_features",
            "workflow.features.file_upload.image",
            "features.file_upload.image must be a mapping, but is a list",
        ),
    ]
