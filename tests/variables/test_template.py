"""Placeholders. Source: Dify app DSL, variable templates."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.variables import Selector, VariablePool, compile_template


def pool() -> VariablePool:
    values = VariablePool()
    values.update("llm", {"text": "Hi", "none": None, "list": ["a", "b"], "flag": True, "o": {"k": {"j": 1}}})
    values.update("1717", {"x": 5})
    values.set("sys", "query", "{{#llm.text#}}")
    return values


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        pytest.param("plain", "plain", id="nothing-to-do"),
        pytest.param("", "", id="empty"),
        pytest.param("{{#llm.text#}}", "Hi", id="only-a-variable"),
        pytest.param("<{{#llm.text#}}{{#1717.x#}}>", "<Hi5>", id="side-by-side"),
        pytest.param("{{#llm.none#}}", "", id="nothing-reads-empty"),
        pytest.param("{{#llm.o.k.j#}}", "1", id="nested"),
        pytest.param("{{#llm.flag#}}", "True", id="boolean"),
        pytest.param("{{#llm.list#}}", '["a", "b"]', id="array"),
        pytest.param("{{#llm.gone#}}", "llm.gone", id="missing-variable"),
        pytest.param("{{#gone.x.y#}}", "gone.x.y", id="missing-node"),
        pytest.param("{{#llm.o.gone#}}", "llm.o.gone", id="missing-key"),
        pytest.param("{{#sys.query#}}", "{{#llm.text#}}", id="rendered-once"),
        pytest.param("{{#context#}}", "{{#context#}}", id="no-dot"),
        pytest.param("{{# llm.text #}}", "{{# llm.text #}}", id="spaces"),
        pytest.param("{{#my-llm.text#}}", "{{#my-llm.text#}}", id="dash-in-id"),
        pytest.param("{{#llm.a-b#}}", "{{#llm.a-b#}}", id="dash-in-name"),
        pytest.param("{{#llm.1x#}}", "{{#llm.1x#}}", id="name-begins-with-a-digit"),
        pytest.param("{{llm.text}}", "{{llm.text}}", id="no-hash"),
        pytest.param("{#llm.text#}", "{#llm.text#}", id="one-brace"),
        pytest.param("{{{#llm.text#}}}", "{Hi}", id="three-braces"),
        pytest.param("{{#llm..text#}}", "{{#llm..text#}}", id="two-dots"),
        pytest.param("{{#llm.text.#}}", "{{#llm.text.#}}", id="dot-at-the-end"),
        pytest.param("{{#ü.text#}}", "{{#ü.text#}}", id="other-letters"),
        pytest.param(f"{{{{#{'i' * 50}.x#}}}}", f"{'i' * 50}.x", id="longest-id"),
        pytest.param(f"{{{{#{'i' * 51}.x#}}}}", f"{{{{#{'i' * 51}.x#}}}}", id="id-too-long"),
        pytest.param(f"{{{{#n.{'x' * 30}#}}}}", f"n.{'x' * 30}", id="longest-name"),
        pytest.param(f"{{{{#n.{'x' * 31}#}}}}", f"{{{{#n.{'x' * 31}#}}}}", id="name-too-long"),
        pytest.param(f"{{{{#n{'.x' * 10}#}}}}", f"n{'.x' * 10}", id="most-names"),
        pytest.param(f"{{{{#n{'.x' * 11}#}}}}", f"{{{{#n{'.x' * 11}#}}}}", id="too-many-names"),
    ],
)
def test_placeholders_are_replaced_and_everything_else_stays(text: str, rendered: str) -> None:
    assert compile_template(text).render(pool()) == rendered


def test_in_an_answer_values_read_as_markdown() -> None:
    assert compile_template("{{#llm.list#}} {{#llm.gone#}}").render_markdown(pool()) == "- a\n- b llm.gone"


def test_a_template_knows_its_pieces_and_each_of_its_variables_once() -> None:
    template = compile_template("a{{#n.x#}}b{{#m.y.z#}}{{#n.x#}}")
    assert template.parts == ("a", ("n", "x"), "b", ("m", "y", "z"), ("n", "x"))
    assert template.selectors == (("n", "x"), ("m", "y", "z"))


def test_equal_texts_share_a_template() -> None:
    assert compile_template("{{#n.x#}}") is compile_template("{{#n." + "x#}}")


BITS = st.sampled_from(["{{#", "#}}", "{", "}", "#", "llm", ".", "text", "1717", "x", "a b", "ü", "\n", "-"])


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(BITS, max_size=12).map("".join)))
def test_no_text_is_too_odd_to_be_a_template(text: str) -> None:
    template = compile_template(text)
    rendered = template.render(pool())
    # Put back together from its pieces, the template is the text.
    pieces = [part if isinstance(part, str) else f"{{{{#{'.'.join(part)}#}}}}" for part in template.parts]
    assert "".join(pieces) == text
    if not template.selectors:
        assert rendered == text


NAMES = st.from_regex(re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}", re.ASCII), fullmatch=True)
IDS = st.from_regex(re.compile(r"[A-Za-z0-9_]{1,50}", re.ASCII), fullmatch=True)


@settings(deadline=None)
@given(IDS, st.lists(NAMES, min_size=1, max_size=10), st.text(alphabet="ab {}#\n"))
def test_every_path_of_the_grammar_is_found(node_id: str, names: list[str], around: str) -> None:
    selector: Selector = (node_id, *names)
    placeholder = f"{{{{#{'.'.join(selector)}#}}}}"
    assert compile_template(placeholder).selectors == (selector,)
    assert selector in compile_template(f"{around} {placeholder} {around}").selectors
