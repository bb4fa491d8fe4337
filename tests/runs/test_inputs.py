"""What a form takes. Source: Dify service API, inputs; row ids: Dify app DSL, test scenarios."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.harness import Data, start
from tests.runs.house import version
from weft.errors import InvalidRequestError
from weft.ids import SequentialIds
from weft.runs.request_file import input_files
from weft.variables import File


def accept(inputs: Data, *variables: Data) -> Data:
    made = version("app", {"start": start(*variables)})
    return made.start.accept(inputs, input_files(SequentialIds()))


def field(type: str, **more: Any) -> Data:
    return {"variable": "x", "label": "X", "type": type, **more}


SELECT: Data = {"options": ["a", "b"]}
URL = "https://e.org/a.pdf"
PDF: Data = {"type": "document", "transfer_method": "remote_url", "url": URL}
FILE = File(
    id="00000000-0000-7000-8000-000000000001",
    type="document",
    transfer_method="remote_url",
    remote_url=URL,
    url=URL,
    filename="a.pdf",
    extension=".pdf",
    mime_type="application/pdf",
)
ACCEPTED = [
    pytest.param("text-input", {}, "a", "a", id="text"),
    pytest.param("text-input", {"required": True}, "", "", id="empty-text-is-not-missing"),
    pytest.param("text-input", {}, None, None, id="null"),
    pytest.param("text-input", {"default": "d"}, None, "d", id="default"),
    pytest.param("text-input", {"default": "d"}, "", "", id="empty-text-beats-the-default"),
    pytest.param("text-input", {"max_length": 3}, "abc", "abc", id="dsl-74-at-the-limit"),
    pytest.param("paragraph", {"max_length": 0}, "abc", "abc", id="zero-is-no-limit"),
    pytest.param("paragraph", {}, "a\x00b", "ab", id="nul-is-removed"),
    pytest.param("number", {}, "3", 3, id="dsl-73-integer-text"),
    pytest.param("number", {}, "3.5", 3.5, id="dsl-73-float-text"),
    pytest.param("number", {}, "", None, id="dsl-73-empty-text"),
    pytest.param("number", {}, "  ", None, id="blank-text"),
    pytest.param("number", {}, "-7", -7, id="negative-text"),
    pytest.param("number", {}, 3.0, 3.0, id="float"),
    pytest.param("number", {}, True, True, id="bool-is-a-number"),
    pytest.param("number", {"default": "12"}, None, 12, id="default-is-checked-too"),
    pytest.param("select", SELECT, "b", "b", id="option"),
    pytest.param("select", {"options": ["", "a"]}, "", "", id="empty-option"),
    pytest.param("checkbox", {}, "on", True, id="dsl-74-on"),
    pytest.param("checkbox", {}, " YES ", True, id="yes"),
    pytest.param("checkbox", {}, "Off", False, id="off"),
    pytest.param("checkbox", {}, "0", False, id="zero-text"),
    pytest.param("checkbox", {}, 0, False, id="dsl-74-zero"),
    pytest.param("checkbox", {}, 1, True, id="one"),
    pytest.param("checkbox", {}, False, False, id="false"),
    pytest.param("checkbox", {}, "maybe", "maybe", id="dsl-74-anything-else"),
    pytest.param("checkbox", {}, 7, 7, id="another-number"),
    pytest.param("file", {}, PDF, FILE, id="file"),
    pytest.param("file", {}, "", None, id="no-file"),
    pytest.param("file", {}, {}, None, id="empty-file"),
    pytest.param("file-list", {}, [PDF, {}], [FILE], id="files"),
    pytest.param("file-list", {}, "", None, id="no-files"),
    pytest.param("file-list", {"max_length": 1}, [PDF], [FILE], id="files-at-the-limit"),
    pytest.param("json_object", {}, {"a": [1]}, {"a": [1]}, id="dsl-75-object"),
    pytest.param("json_object", {}, "", "", id="empty-object-text"),
    pytest.param("external_data_tool", {}, 5, 5, id="external"),
    pytest.param("external_data_tool", {}, ["a"], ["a"], id="external-list"),
]


@pytest.mark.parametrize(("type", "more", "given", "value"), ACCEPTED)
def test_what_a_kind_takes_becomes_this(type: str, more: Data, given: object, value: object) -> None:
    accepted = accept({"x": given}, field(type, **more))
    assert accepted == {"x": value}
    assert accepted["x"].__class__ is value.__class__


NO_NUMBERS: list[object] = ["x", "1e3", "1,5", "nan", "١٢x", "9" * 5000, [1], {}]
MUST_BE = "must be one of the following: ['a', 'b']"
REFUSED = [
    *(
        pytest.param(
            type, {"required": True}, given, "x is required in input form", id=f"required-{type}-{id}"
        )
        for type in ("text-input", "number", "select", "checkbox", "file", "file-list", "json_object")
        for id, given in [("null", None)]
    ),
    pytest.param("text-input", {}, 5, "(type 'text-input') x in input form must be a string", id="text"),
    pytest.param("paragraph", {}, {}, "(type 'paragraph') x in input form must be a string", id="paragraph"),
    pytest.param("select", SELECT, 5, "(type 'select') x in input form must be a string", id="select"),
    pytest.param("select", SELECT, "c", f"x in input form {MUST_BE}", id="dsl-74-option"),
    pytest.param("select", SELECT, "", f"x in input form {MUST_BE}", id="empty-is-no-option"),
    pytest.param(
        "text-input",
        {"max_length": 3},
        "abcd",
        "x in input form must be less than 3 characters",
        id="dsl-74-over-the-limit",
    ),
    pytest.param(
        "text-input",
        {"max_length": 3, "default": "abcd"},
        None,
        "x in input form must be less than 3 characters",
        id="default-over-the-limit",
    ),
    *(
        pytest.param("number", {}, odd, "x in input form must be a valid number", id=f"number-{index}")
        for index, odd in enumerate(NO_NUMBERS)
    ),
    pytest.param("checkbox", {}, {"a": 1}, "Invalid input type for ['x']", id="checkbox-object"),
    pytest.param("checkbox", {}, [{"a": 1}], "Invalid input type for ['x']", id="checkbox-objects"),
    pytest.param("external_data_tool", {}, {}, "Invalid input type for ['x']", id="external-object"),
    pytest.param("file", {}, [PDF], "x in input form must be a file", id="file-list-for-file"),
    pytest.param("file", {}, "a.pdf", "x in input form must be a file", id="text-for-file"),
    pytest.param("file", {"required": True}, "", "x in input form must be a file", id="required-file"),
    pytest.param("file-list", {}, PDF, "x in input form must be a list of files", id="file-for-list"),
    pytest.param("file-list", {}, [PDF, "a"], "x in input form must be a list of files", id="text-in-list"),
    pytest.param(
        "file-list",
        {"max_length": 1},
        [PDF, PDF],
        "x in input form must be less than 1 files",
        id="too-many-files",
    ),
    pytest.param("json_object", {}, "text", "x in input form must be a dict", id="dsl-75-text"),
    pytest.param("json_object", {}, [1], "x in input form must be a dict", id="list-for-object"),
]


@pytest.mark.parametrize(("type", "more", "given", "message"), REFUSED)
def test_what_a_kind_does_not_take_is_refused_in_these_words(
    type: str, more: Data, given: object, message: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        accept({"x": given}, field(type, **more))
    assert (str(caught.value), list(caught.value.fields)) == (message, ["inputs.x"])


def test_a_required_field_that_is_left_out_is_missing() -> None:
    with pytest.raises(InvalidRequestError, match="x is required in input form"):
        accept({}, field("text-input", required=True))


def test_undeclared_inputs_are_dropped_and_absent_ones_are_null() -> None:
    assert accept({"other": 1}, field("text-input"), {**field("number"), "variable": "n"}) == {
        "x": None,
        "n": None,
    }


def test_the_first_field_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="x in input form"):
        accept({"n": "y", "x": "y"}, field("number"), {**field("number"), "variable": "n"})


@pytest.mark.parametrize(
    "junk",
    [
        {"max_length": None, "options": None, "label": None, "required": None, "hint": 5},
        {"allowed_file_types": None, "allowed_file_extensions": None, "allowed_file_upload_methods": None},
        {"json_schema": None, "placeholder": {}, "hide": "no"},
        {"json_schema": " "},
    ],
)
def test_what_old_files_leave_empty_does_no_harm(junk: Data) -> None:
    assert accept({"x": "a"}, field("paragraph", **junk)) == {"x": "a"}


@pytest.mark.parametrize(
    ("rules", "given", "message"),
    [
        pytest.param({"allowed_file_types": ["image"]}, PDF, "a.pdf", id="type"),
        pytest.param(
            {"allowed_file_extensions": ["PNG"]}, {**PDF, "type": "custom"}, "a.pdf", id="extension"
        ),
        pytest.param({"allowed_file_upload_methods": ["local_file"]}, PDF, "a.pdf", id="method"),
    ],
)
def test_a_field_has_rules_of_its_own_for_files(rules: Data, given: Data, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"File validation failed for file: {message}"):
        accept({"x": given}, field("file", **rules))
    allowed = {"allowed_file_types": ["document"], "allowed_file_extensions": [".PDF"]}
    assert accept({"x": given}, field("file", **allowed)) == {"x": FILE}
