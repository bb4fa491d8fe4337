from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.records import NOW
from weft.archive.name import MAX_NAME_BYTES, decode_name, encode_name
from weft.archive.place import Day, conversation_file, day_of, parse_day, parse_file
from weft.errors import InvalidRequestError


@given(st.text(min_size=1, max_size=20))
def test_an_id_comes_back_from_its_name_and_the_name_is_plain_lower_case(id: str) -> None:
    try:
        name = encode_name(id, "id")
    except InvalidRequestError:
        return  # half a surrogate pair
    assert decode_name(name) == id
    assert name == name.casefold()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_%")


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_different_ids_differ_on_a_file_system_that_folds_case(one: str, other: str) -> None:
    names = set()
    for id in (one, other):
        try:
            names.add(encode_name(id, "id").casefold())
        except InvalidRequestError:
            return
    assert len(names) == len({one, other})


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
        ("..", "%2e%2e"),
        (".", "%2e"),
        ("/etc", "%2fetc"),
        ("C:\\x", "%43%3a%5cx"),
        ("a\0b", "a%00b"),
        ("2025", "%32025"),
        ("con", "%63on"),
        (".weft", "%2eweft"),
        ("ü", "%c3%bc"),
        ("conv-abc123", "conv-abc123"),
        ("Org", "%4frg"),
    ],
)
def test_a_hostile_id_is_encoded(id: str, name: str) -> None:
    assert encode_name(id, "id") == name
    assert decode_name(name) == id


@pytest.mark.parametrize("id", ["", "\ud800", "x" * (MAX_NAME_BYTES + 1), "Ü" * 40])
def test_an_id_that_no_file_can_be_named_after_is_refused(id: str) -> None:
    with pytest.raises(InvalidRequestError, match="no file can be named after it"):
        encode_name(id, "conversation_id")


@pytest.mark.parametrize("name", ["A", "%41x%", "%zz", "%61", "..", "a/b", "", "2025", "%ff"])
def test_a_name_that_no_id_gives_is_no_name(name: str) -> None:
    assert decode_name(name) is None


@given(st.text(min_size=1, max_size=20))
def test_no_id_leaves_the_tree(id: str) -> None:
    try:
        path = f"{day_of('conversations', id, NOW).path}/{conversation_file(id, NOW)}"
    except InvalidRequestError:
        return
    parts = path.split("/")
    assert len(parts) == 7
    assert not {"", ".", ".."} & set(parts)


def test_paths_are_those_of_the_guide() -> None:
    day = day_of("conversations", "org-123", NOW)
    assert day.path == "logs/conversations/org-123/2025/10/20"
    assert parse_day(day.path) == day
    assert day_of("conversations", None, NOW).path == "logs/conversations/2025/10/20"
    assert conversation_file("xxx", NOW) == "conversation_xxx_20251020T120000000000Z.json"
    assert parse_file(conversation_file("a_b", NOW)) == ("conversations", "a_b")
    assert parse_file("run_r.json.zst") == ("runs", "r")


@pytest.mark.parametrize(
    "path",
    [
        "logs/conversations/2025/13/01",
        "logs/conversations/2025/1/1",
        "logs/other/2025/10/01",
        "logs/conversations/a/b/2025/10/01",
        "logs/conversations/Org/2025/10/01",
    ],
)
def test_other_folders_are_no_days(path: str) -> None:
    assert parse_day(path) is None


def test_days_are_ordered_by_organisation_then_date() -> None:
    days = [day_of("conversations", org, NOW) for org in ("b", None, "a")]
    assert [day.organization for day in sorted(days)] == ["", "a", "b"]
    assert isinstance(days[0], Day)
