from __future__ import annotations

from weft import wire


def test_a_page_iterates_over_its_items_and_is_true_even_when_empty() -> None:
    empty = wire.ConversationPage(data=[])
    page = wire.ConversationPage(
        limit=2, has_more=True, data=[wire.Conversation(id="a"), wire.Conversation(id="b")]
    )
    assert (bool(empty), len(empty), list(empty)) == (True, 0, [])
    assert [conversation.id for conversation in page] == ["a", "b"]
    assert (page.first_id, page.last_id, empty.first_id, empty.last_id) == ("a", "b", None, None)


def test_pages_have_the_documented_keys() -> None:
    assert wire.MessagePage(data=[]).to_dict() == {"limit": 20, "has_more": False, "data": []}
    assert wire.WorkflowLogPage(page=3, limit=5, total=11, data=[]).to_dict() == {
        "limit": 5,
        "has_more": False,
        "data": [],
        "page": 3,
        "total": 11,
    }
