from __future__ import annotations

import contextlib
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from weft.errors import GraphError, Problem
from weft.graph import yaml_builder
from weft.graph.yaml_text import parse_yaml


def refusal(text: str | bytes) -> Problem:
    with pytest.raises(GraphError) as caught:
        parse_yaml(text, source="app.yml")
    (problem,) = caught.value.problems
    return problem


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: the one in C and the one that every machine has."""
    monkeypatch.setattr(yaml_builder, "_Loader", getattr(yaml, request.param))


SAME_AS_DIFY = {
    "plain": "a: 1\nb: [x, 2.5, true, null, ~, '']\nc: {d: e}",
    "numbers": "[0123, 0x1F, 0b11, 1_000, 1:30, 1e3, 1.0e+3, .5, -7, +8, 0o17]",
    "words": "[yes, no, on, off, True, FALSE, y, n, Null, NULL, '', ]",
    "texts": "a: |\n  two\n  lines\nb: >-\n  one\n  line\nc: '0.3'\nd: \"x\\ty\"",
    "aliases": "a: &x [1, 2]\nb: *x\nc: &y text\nd: *y\n*y : e",
    "merge": "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: *a, x: 9}\nd: {<<: [*a, *b], z: 0}",
    "tags": "[!!str 1, !!int '2', !!float 3, !!bool yes, !!null '', !!seq [1], !!map {a: b}, ! 12, ! x]",
    "comments": "# hello\na: b # there\n...\n",
    "empty": "",
    "scalar": "hello",
    "unicode": '名: 值 🤖\n"\\u00e9": "\\x41"',
    "json": '{"a": [1, {"b": null}], "c": "d\\n"}',
}


@pytest.mark.parametrize("text", SAME_AS_DIFY.values(), ids=SAME_AS_DIFY)
@pytest.mark.usefixtures("loader")
def test_a_document_is_read_as_the_safe_loader_reads_it(text: str) -> None:
    assert parse_yaml(text) == (yaml.safe_load(text), [])


@pytest.mark.usefixtures("loader")
def test_infinite_and_undefined_numbers_are_numbers() -> None:
    value, warnings = parse_yaml("[.inf, -.inf, .nan]")
    assert isinstance(value, list)
    assert value[:2] == [math.inf, -math.inf]
    assert math.isnan(value[2])
    assert warnings == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-05-06", "2024-05-06"),
        ("2024-05-06 07:08:09Z", "2024-05-06 07:08:09Z"),
        ("!!timestamp '2024-05-06'", "2024-05-06"),
        ("{2024-05-06: x}", {"2024-05-06": "x"}),
        ("0x_", "0x_"),
        ("=", "="),
        ("[<<]", ["<<"]),
    ],
)
@pytest.mark.usefixtures("loader")
def test_what_only_looks_like_another_type_stays_a_text(text: str, value: object) -> None:
    assert parse_yaml(text) == (value, [])


@pytest.mark.usefixtures("loader")
def test_a_number_of_more_than_64_bits_stays_a_text_with_a_warning() -> None:
    value, (warning,) = parse_yaml("app: {id: 123456789012345678901234567890}")
    assert value == {"app": {"id": "123456789012345678901234567890"}}
    assert (warning.code, warning.path, warning.severity) == (
        "parse.number_too_large",
        "app.id",
        "warning",
    )


def test_a_number_of_ten_thousand_digits_stays_a_text() -> None:
    digits = "9" * 10_000
    assert parse_yaml(digits)[0] == digits


@pytest.mark.usefixtures("loader")
def test_numbers_as_keys_become_texts() -> None:
    assert parse_yaml("{1: a, 2.5: b, &k 3: c}") == ({"1": "a", "2.5": "b", "3": "c"}, [])


@pytest.mark.usefixtures("loader")
def test_words_that_yaml_takes_for_booleans_are_warned_of_when_they_are_keys() -> None:
    value, warnings = parse_yaml("{data: {on: 1, ~: 2}}")
    assert value == {"data": {"true": 1, "null": 2}}
    assert [(item.code, item.path, item.severity) for item in warnings] == [
        ("parse.ambiguous_key", "data", "warning"),
        ("parse.ambiguous_key", "data", "warning"),
    ]


@pytest.mark.usefixtures("loader")
def test_of_a_key_given_twice_the_last_value_counts_and_a_warning_says_where() -> None:
    value, (warning,) = parse_yaml("nodes:\n- a: 1\n- a: 1\n  b: 2\n  a: 3\n")
    assert value == {"nodes": [{"a": 1}, {"a": 3, "b": 2}]}
    assert warning == Problem(
        code="parse.duplicate_key",
        message="line 5 gives the key 'a' again; the last value counts",
        path="nodes[1].a",
        fix="remove one of the two",
        severity="warning",
    )


REFUSED = {
    "broken flow": ("a: [1, 2\nb: 3", "parse.invalid_yaml", "line 2, column 2"),
    "broken block": ("a: 1\n b: 2\n", "parse.invalid_yaml", "line 2, column 3"),
    "tab": ("a:\n\tb: 1\n", "parse.invalid_yaml", "line 2, column 1"),
    "control character": ("a: \x00", "parse.invalid_yaml", ""),
    "two documents": ("a: 1\n---\nb: 2\n", "parse.invalid_yaml", "line 2, column 1"),
    "undefined alias": ("a: *b", "parse.invalid_yaml", "line 1, column 4"),
    "list as key": ("? [a]\n: b", "parse.invalid_yaml", "line 1, column 3"),
    "mapping as key": ("{{a: b}: c}", "parse.invalid_yaml", "line 1, column 2"),
    "alias of a list as key": ("a: &x [1]\n*x : 2", "parse.invalid_yaml", "line 2, column 1"),
    "merged text": ("{<<: text}", "parse.invalid_yaml", "line 1, column 10"),
    "not what its tag says": ("a: !!int b", "parse.invalid_yaml", "line 1, column 4"),
    "not even a boolean": ("!!bool ''", "parse.invalid_yaml", "line 1, column 1"),
    "empty float": ("!!float ''", "parse.invalid_yaml", "line 1, column 1"),
    "python object": ("!!python/object/apply:os.system [ls]", "parse.unsafe_tag", "line 1, column 1"),
    "python name": ("a: !!python/name:os.system ''", "parse.unsafe_tag", "line 1, column 4"),
    "binary": ("a: !!binary aGk=", "parse.unsafe_tag", "line 1, column 4"),
    "set": ("a: !!set {b}", "parse.unsafe_tag", "line 1, column 4"),
    "own tag": ("a: !mine {b: c}", "parse.unsafe_tag", "line 1, column 4"),
    "contains itself": ("a: &a [1, *a]", "parse.recursive_alias", "line 1, column 11"),
    "mapping in itself": ("&a {b: {c: *a}}", "parse.recursive_alias", "line 1, column 12"),
    "half a surrogate pair": ('"\\ud800"', "parse.invalid_yaml", None),
    "no character": ('"\\U00110000"', "parse.invalid_yaml", None),
}


@pytest.mark.parametrize(("text", "code", "place"), REFUSED.values(), ids=REFUSED)
@pytest.mark.usefixtures("loader")
def test_what_cannot_be_accepted_is_refused_with_its_place(text: str, code: str, place: str | None) -> None:
    problem = refusal(text)
    assert problem.code == code
    assert place is None or problem.path == place
    assert problem.message.startswith("app.yml ")
    assert problem.fix


def test_a_tab_is_named_as_the_culprit() -> None:
    assert refusal("a:\n\tb: 1\n").fix == "use spaces instead of tabs for indentation"


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    problem = refusal(b"name: caf\xe9\n")
    assert (problem.code, problem.message) == (
        "parse.invalid_yaml",
        "app.yml is not valid UTF-8 (byte 9)",
    )


def test_text_with_half_of_a_surrogate_pair_is_refused() -> None:
    assert refusal("name: \udc80").code == "parse.invalid_yaml"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_does_no_harm(encoding: str) -> None:
    assert parse_yaml("name: 流".encode(encoding)) == ({"name": "流"}, [])


def test_a_byte_order_mark_in_a_text_does_no_harm() -> None:
    assert parse_yaml("\ufeffname: x") == ({"name": "x"}, [])


@pytest.mark.parametrize(
    "text",
    [b" " * 10_000_001, " " * 10_000_001, "流" * 3_400_000],
    ids=["bytes", "text", "text that is longer in bytes"],
)
def test_a_file_of_more_than_ten_megabytes_is_refused(text: str | bytes) -> None:
    assert refusal(text).code == "parse.too_large"


@pytest.mark.parametrize("opening", ["[", "{a: "])
@pytest.mark.parametrize("levels", [201, 100_000])
def test_deep_nesting_is_refused(opening: str, levels: int) -> None:
    assert refusal(opening * levels).code in ("parse.too_deep", "parse.invalid_yaml")


def test_two_hundred_levels_are_accepted() -> None:
    value, _ = parse_yaml("[" * 200 + "]" * 200)
    for _ in range(199):
        assert isinstance(value, list)
        (value,) = value
    assert value == []


def test_nesting_counts_what_aliases_bring_in() -> None:
    lines = ["a0: &a0 " + "[" * 100 + "]" * 100]
    lines += [f"a{index}: &a{index} [*a{index - 1}]" for index in range(1, 150)]
    assert refusal("\n".join(lines)).code == "parse.too_deep"


def test_aliases_that_blow_up_are_refused_before_they_do() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{index}: &a{index} [{', '.join([f'*a{index - 1}'] * 10)}]" for index in range(1, 10)]
    assert refusal("\n".join(lines)).code == "parse.expands_too_far"


def test_a_long_text_repeated_by_aliases_is_refused_as_well() -> None:
    text = f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 100)}]"
    assert refusal(text).code == "parse.expands_too_far"


def test_merged_mappings_count_too() -> None:
    wide = ", ".join(f"k{index}: 1" for index in range(2000))
    text = f"a: &a {{{wide}}}\nb:\n" + "- {<<: *a}\n" * 20_000
    assert refusal(text).code == "parse.expands_too_far"


def test_too_many_tiny_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_builder, "MAX_VALUES", 1000)
    assert parse_yaml("[" + "1," * 999 + "]")[0] == [1] * 999
    assert refusal("[" + "1," * 1000 + "]").code == "parse.too_large"


def test_twenty_thousand_warnings_are_not_kept() -> None:
    _, warnings = parse_yaml("a:\n" + "  k: 1\n" * 20_000)
    assert len(warnings) == 1001
    assert warnings[-1].code == "graph.more_problems"


@given(st.text(st.sampled_from("ab01.:-_&*!?|>[]{},'\"#%@\\ \n\t~<=流\ud800\x00\x85"), max_size=40))
def test_no_text_makes_the_parser_fail_in_another_way(text: str) -> None:
    with contextlib.suppress(GraphError):
        parse_yaml(text)


@given(st.binary(max_size=60))
def test_no_bytes_make_the_parser_fail_in_another_way(data: bytes) -> None:
    with contextlib.suppress(GraphError):
        parse_yaml(data)


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_plain)
def test_whatever_yaml_writes_comes_back(value: object) -> None:
    text = yaml.dump(value, Dumper=yaml.SafeDumper, allow_unicode=True)
    assert parse_yaml(text)[0] == yaml.safe_load(text)
