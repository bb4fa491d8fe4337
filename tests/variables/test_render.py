"""How values read. Source: Dify app DSL, rendering a value into text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.variables import File, Value, mask_secret, render_markdown, render_text

IMAGE = File(type="image", filename="a.png", url="https://e.org/a.png")
PDF = File(type="document", filename="a.pdf", remote_url="https://e.org/a.pdf")
NAMELESS = File(type="document", url="https://e.org/x")


@pytest.mark.parametrize(
    ("value", "text", "markdown"),
    [
        pytest.param(None, "", "", id="none"),
        pytest.param("a\nb", "a\nb", "a\nb", id="string"),
        pytest.param("", "", "", id="empty-string"),
        pytest.param(1, "1", "1", id="integer"),
        pytest.param(-1.5, "-1.5", "-1.5", id="float"),
        pytest.param(1.0, "1.0", "1.0", id="whole-float"),
        pytest.param(True, "True", "True", id="true"),
        pytest.param(False, "False", "False", id="false"),
        pytest.param(
            {"ü": [1, None]}, '{"ü": [1, null]}', '{\n  "ü": [\n    1,\n    null\n  ]\n}', id="object"
        ),
        pytest.param({}, "{}", "{}", id="empty-object"),
        pytest.param(["a", "ü"], '["a", "ü"]', "- a\n- ü", id="texts"),
        pytest.param([1, 2.5], "[1, 2.5]", "- 1\n- 2.5", id="numbers"),
        pytest.param([True, False], "[True, False]", "- True\n- False", id="booleans"),
        pytest.param([{"a": True}], "[{'a': True}]", '- {"a": true}', id="objects"),
        pytest.param([[1], []], "[[1], []]", "- [1]\n- []", id="lists"),
        pytest.param(["a", None], "['a', None]", "- a\n- ", id="mixed"),
        pytest.param([], "", "", id="empty-array"),
        pytest.param(IMAGE, "", "![a.png](https://e.org/a.png)", id="image"),
        pytest.param(PDF, "", "[a.pdf](https://e.org/a.pdf)", id="document"),
        pytest.param(NAMELESS, "", "[https://e.org/x](https://e.org/x)", id="nameless"),
        pytest.param(
            [IMAGE, PDF], "", "![a.png](https://e.org/a.png)\n[a.pdf](https://e.org/a.pdf)", id="files"
        ),
    ],
)
def test_a_value_reads_like_this_in_a_prompt_and_in_an_answer(value: Value, text: str, markdown: str) -> None:
    assert (render_text(value), render_markdown(value)) == (text, markdown)


def test_files_inside_objects_read_as_records() -> None:
    text = render_text({"file": IMAGE})
    assert text.startswith('{"file": {"dify_model_identity": "__dify__file__", "id": null,')
    assert '"filename": "a.png"' in text


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(IMAGE),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_every_value_reads_as_some_text(value: Value) -> None:
    assert isinstance(render_text(value), str)
    assert isinstance(render_markdown(value), str)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", "********************"),
        ("12345678", "********************"),
        ("123456789", "123456************89"),
        ("sk-abcdefghijklmnop", "sk-abc************op"),
    ],
)
def test_a_secret_shows_little_of_itself(secret: str, shown: str) -> None:
    assert mask_secret(secret) == shown
