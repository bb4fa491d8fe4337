"""Variables of a conversation."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.contract import apps
from tests.contract.caller import Caller, Reply
from tests.contract.house import House

pytestmark = pytest.mark.anyio

SHOWN = {
    "topic": ("string", "none"),
    "n": ("number", "0"),
    "flag": ("boolean", "false"),
    "prefs": ("object", "{}"),
    "tags": ("array[string]", "[]"),
}


@pytest.fixture
async def conversation(flow: Caller, user: str) -> str:
    """The id of a conversation of one message."""
    return str((await flow.said("hi", user=user))["conversation_id"])


async def page(caller: Caller, conversation: str, user: str, **query: str | int) -> Reply:
    return await caller.get(f"/conversations/{conversation}/variables", user=user, **query)


async def item(caller: Caller, conversation: str, user: str, name: str) -> Any:
    listed = (await page(caller, conversation, user)).ok["data"]
    return next(item for item in listed if item["name"] == name)


async def put(caller: Caller, conversation: str, user: str, name: str, value: object) -> Reply:
    id = (await item(caller, conversation, user, name))["id"]
    return await caller.put(f"/conversations/{conversation}/variables/{id}", {"value": value, "user": user})


@pytest.mark.requirement("api-143")
async def test_the_first_message_stores_every_variable(flow: Caller, conversation: str, user: str) -> None:
    listed = (await page(flow, conversation, user)).ok
    assert (listed["limit"], listed["has_more"]) == (20, False)
    assert {row["name"]: (row["value_type"], row["value"]) for row in listed["data"]} == SHOWN
    keys = {"id", "name", "value_type", "value", "description", "created_at", "updated_at"}
    assert {frozenset(row) for row in listed["data"]} == {frozenset(keys)}
    assert {type(row["created_at"]) for row in listed["data"]} == {int}
    assert listed["data"][0]["description"] == f"the {listed['data'][0]['name']}"


@pytest.mark.requirement("api-144")
@pytest.mark.parametrize(
    ("part", "names"),
    [("TOP", ["topic"]), ("g", ["flag", "tags"]), ("_", []), ("xp_", [])],
)
async def test_variables_are_found_by_a_part_of_the_name(
    flow: Caller, conversation: str, user: str, part: str, names: list[str]
) -> None:
    listed = (await page(flow, conversation, user, variable_name=part)).ok["data"]
    assert sorted(row["name"] for row in listed) == names


@pytest.mark.requirement("api-145")
@pytest.mark.parametrize("name", ["a b", "a%", "x" * 256])
async def test_a_name_that_no_variable_can_have_is_refused(
    flow: Caller, conversation: str, user: str, name: str
) -> None:
    status, code, text = (await page(flow, conversation, user, variable_name=name)).error
    assert (status, code) == (400, "invalid_param")
    assert "Variable name can only contain" in text or len(name) > 255


@pytest.mark.requirement("api-146")
async def test_pages_of_variables_follow_one_another(flow: Caller, conversation: str, user: str) -> None:
    sizes, names, last = [], [], ""
    for _ in range(3):
        listed = (await page(flow, conversation, user, limit=2, last_id=last)).ok
        sizes.append((len(listed["data"]), listed["has_more"]))
        names += [row["name"] for row in listed["data"]]
        last = listed["data"][-1]["id"]
    assert (sizes, sorted(names)) == ([(2, True), (2, True), (1, False)], sorted(SHOWN))


@pytest.mark.requirement("api-147")
async def test_a_cursor_that_is_no_variable_answers_404(flow: Caller, conversation: str, user: str) -> None:
    reply = await page(flow, conversation, user, last_id=str(uuid4()))
    assert reply.error == (404, "not_found", "Conversation Variable Not Exists.")


@pytest.mark.requirement("api-148")
async def test_a_value_that_is_put_is_seen_by_the_next_run(house: House, user: str) -> None:
    flow = await house.serve(
        apps.chatflow(
            [apps.start(), apps.answer("topic is {{#conversation.topic#}}")],
            "start > answer",
            variables=apps.VARIABLES,
            name="topical",
        )
    )
    first = await flow.said(user=user)
    id = first["conversation_id"]
    before = await item(flow, id, user, "topic")
    changed = (await put(flow, id, user, "topic", "x")).ok
    second = await flow.said(user=user, conversation_id=id)
    assert (first["answer"], second["answer"]) == ("topic is none", "topic is x")
    assert changed["updated_at"] >= before["updated_at"]
    assert changed == {**before, "value": "x", "updated_at": changed["updated_at"]}
    assert await item(flow, id, user, "topic") == changed


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        pytest.param("n", 2.5, "2.5", marks=pytest.mark.requirement("api-150")),
        pytest.param("n", 3, "3", marks=pytest.mark.requirement("api-150")),
        pytest.param("prefs", {"a": 1}, '{"a": 1}', marks=pytest.mark.requirement("api-151")),
        pytest.param("tags", ["a", "b"], '["a", "b"]', marks=pytest.mark.requirement("api-152")),
        pytest.param("tags", [], "[]", marks=pytest.mark.requirement("api-152")),
        pytest.param("flag", True, "true", marks=pytest.mark.requirement("api-148")),
        pytest.param("topic", "Grüße", "Grüße", marks=pytest.mark.requirement("api-148")),
    ],
)
async def test_a_value_of_the_right_type_is_shown_as_text(
    flow: Caller, conversation: str, user: str, name: str, value: object, shown: str
) -> None:
    assert (await put(flow, conversation, user, name, value)).ok["value"] == shown


@pytest.mark.parametrize(
    ("name", "value", "types"),
    [
        pytest.param("topic", 5, "string, got integer", marks=pytest.mark.requirement("api-149")),
        pytest.param("topic", None, "string, got null", marks=pytest.mark.requirement("api-149")),
        pytest.param("n", "5", "number, got string", marks=pytest.mark.requirement("api-149")),
        pytest.param("n", True, "number, got boolean", marks=pytest.mark.requirement("api-149")),
        pytest.param("flag", 1.5, "boolean, got number", marks=pytest.mark.requirement("api-149")),
        pytest.param("prefs", [], "object, got array", marks=pytest.mark.requirement("api-149")),
        pytest.param("tags", ["a", 1], "array[string], got array", marks=pytest.mark.requirement("api-152")),
        pytest.param("tags", {}, "array[string], got object", marks=pytest.mark.requirement("api-152")),
    ],
)
async def test_a_value_of_the_wrong_type_is_refused(
    flow: Caller, conversation: str, user: str, name: str, value: object, types: str
) -> None:
    reply = await put(flow, conversation, user, name, value)
    assert reply.error == (400, "bad_request", f"Value type mismatch: expected {types}.")
    assert await flow.variables(conversation, user=user) == {
        name: shown for name, (_, shown) in SHOWN.items()
    }


@pytest.mark.requirement("api-153")
async def test_a_change_needs_a_value(flow: Caller, conversation: str, user: str) -> None:
    id = (await item(flow, conversation, user, "n"))["id"]
    reply = await flow.put(f"/conversations/{conversation}/variables/{id}", {"user": user})
    assert (reply.error[:2], "value" in reply.error[2]) == ((400, "invalid_param"), True)


@pytest.mark.requirement("api-154")
async def test_an_unknown_variable_answers_404(flow: Caller, conversation: str, user: str) -> None:
    path = f"/conversations/{conversation}/variables/{uuid4()}"
    reply = await flow.put(path, {"user": user, "value": 1})
    assert reply.error == (404, "not_found", "Conversation Variable Not Exists.")


@pytest.mark.requirement("api-155")
async def test_nobody_but_the_owner_sees_or_changes_variables(
    flow: Caller, plain: Caller, conversation: str, user: str
) -> None:
    id = (await item(flow, conversation, user, "n"))["id"]
    absent = (404, "not_found", "Conversation Not Exists.")
    for caller, who in ((flow, f"not {user}"), (plain, user)):
        assert (await page(caller, conversation, who)).error == absent
        reply = await caller.put(f"/conversations/{conversation}/variables/{id}", {"user": who, "value": 1})
        assert reply.error == absent
