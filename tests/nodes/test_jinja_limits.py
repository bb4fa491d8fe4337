"""Templates that try to take the machine for themselves."""

from __future__ import annotations

import time

import pytest

from weft.nodes.jinja import TemplateRenderError, compile_jinja, render_jinja

MAX_CHARS = 400_000
STEPS = 20_000
"""A fiftieth of what templates may do, so that the tests are quick."""
SECONDS = 2.0
"""Of the processor, many times what it takes; without limits each template takes hours, or all memory."""

VALUES: dict[str, object] = {
    "big": "a" * 400_000,
    "wide": "中" * 300_000,
    "xs": list(range(1000)),
    "rows": [["x"] * 100] * 1000,
    "d": {"k": "v"},
    "words": "word " * 60_000,
    "lines": "l\n" * 100_000,
    "s": "abc",
}

FOREVER = "{% for i in range(1000000) %}"
END = "{% endfor %}"
TWINS = "{% set x = [1, 2] %}{% set y = [1, 2] %}" + "{% set x = [x, x] %}{% set y = [y, y] %}" * 60
"""Two lists of a few bytes whose texts would fill every disk."""
DEEP = "{% set ns = namespace(x=()) %}{% for i in range(3000) %}{% set ns.x = (ns.x,) %}{% endfor %}"
GROWING = "{% set ns = namespace(x='a', l=[1], n=9) %}{% for i in range(10000) %}"


def forever(*body: str) -> str:
    return FOREVER + "".join(body) + END


TOO_MUCH = {
    "nested loops": "{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{% endfor %}",
    "a loop of many statements": forever("{% set x = d.k %}" * 500),
    "a loop that leaves everything out": "{% for a in range(1000000) if false %}{% endfor %}",
    "a loop with a slow condition": "{% for a in xs if big in big %}{% endfor %}",
    "a loop over characters": "{% for a in xs %}{% for b in big if false %}{% endfor %}{% endfor %}",
    "a loop of filters": forever("{{ s|upper|lower|title|trim }}"),
    "a loop of methods": forever("{% set x = s.upper() %}"),
    "a loop of operators": forever("{% set x = i + i * i - i // 3 %}"),
    "a loop that captures": "{% set z %}" + forever("y" * 10_000) + "{% endset %}",
    "a loop of slices": forever("{% set x = big[1:] %}"),
    "a loop of slices of a list": forever("{% set x = xs[1:] %}"),
    "a loop of copies": forever("{% set x = xs|list %}"),
    "a loop of texts": forever("{% set x = xs|string %}"),
    "a loop of JSON": forever("{% set x = xs|tojson %}"),
    "a loop of sorting": forever("{% set x = xs|sort %}"),
    "a loop of uniqueness": forever("{% set x = xs|unique %}"),
    "a loop of grouping": forever("{% set x = rows|groupby(0) %}"),
    "a loop of mapping": forever("{% set x = xs|map('string') %}"),
    "a loop of splitting": forever("{% set x = words.split(' ') %}"),
    "a loop of lines": forever("{% set x = lines.splitlines() %}"),
    "a loop of counting": forever("{% set x = words.count('or') %}"),
    "a loop of searching": forever("{% set x = 'b' in big %}"),
    "a loop of searching in a list": forever("{% set x = 'b' in xs %}"),
    "a loop of comparing": "{% set b = big ~ '' %}" + forever("{% set x = b == big %}"),
    "a loop of formats": forever("{% set x = '{}{}'.format(1, 2) %}"),
    "a loop of objects": forever("{% set x = dict(a=1) %}"),
    "a loop of namespaces": GROWING + "{% set ns.x = namespace(a=ns.x) %}" * 3 + END,
    "a loop of arguments": forever("{% set x = cycler(*xs) %}"),
    "a slow search": "{% set n = big[:1200] ~ 'b' %}" + forever("{% set x = n in big[:2400] %}"),
    "a slow search backwards": "{{ big.rfind('b' ~ big[:100000]) }}",
    "a slow split": "{{ big.rsplit('b' ~ big[:100000]) }}",
    "a slow strip": "{{ wide.strip(wide) }}",
    "a slow trim": "{{ wide|trim(wide) }}",
    "recursion that doubles": (
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"
    ),
    "a recursive loop that doubles": (
        "{% for i in [1, 2] recursive %}{{ loop([1, 2]) if loop.depth < 60 }}{% endfor %}"
    ),
    "texts that double": GROWING + "{% set ns.x = ns.x ~ ns.x %}" + END,
    "texts that are doubled by adding": GROWING + "{% set ns.x = ns.x + ns.x %}" + END,
    "texts that are doubled by capturing": (
        "{% set x = 'aa' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60 + "{{ x|length }}"
    ),
    "lists that double": GROWING + "{% set ns.l = ns.l + ns.l %}" + END,
    "texts that are kept": GROWING + "{% set ns.l = [ns.l, wide ~ i] %}" + END,
    "the text of a list in itself": TWINS + "{{ x }}",
    "joining a list in itself": TWINS + "{{ x ~ '' }}",
    "JSON of a list in itself": TWINS + "{{ x|tojson }}",
    "the filter join": TWINS + "{{ x|join }}",
    "comparing lists in themselves": TWINS + "{{ x == y }}",
    "finding a list in a list": TWINS + "{{ x in [y] }}",
    "sorting lists in themselves": TWINS + "{{ [x, y]|sort }}",
    "the format of a list in itself": TWINS + "{{ '{}'.format(x) }}",
    "the percent format of a list in itself": TWINS + "{{ '%s' % x }}",
    "testing a list in itself": TWINS + "{{ x is upper }}",
    "a test that compares": TWINS + "{{ x is eq(y) }}",
    "a loop that looks for changes": TWINS + "{% for q in [x, y] %}{{ loop.changed(q) }}{% endfor %}",
    "a namespace in itself": (
        "{% set x = namespace(a=1) %}" + "{% set x = namespace(a=x, b=x) %}" * 60 + "{{ x }}"
    ),
    "a text many times": "{{ 'a' * 10**9 }}",
    "a list many times": "{{ [0] * 10**9 }}",
    "a text that is safe many times": "{{ ('<'|e) * 10**9 }}",
    "the filter center": "{{ 'a'|center(10**9) }}",
    "center": "{{ 'a'.center(10**9) }}",
    "ljust": "{{ 'a'.ljust(10**9) }}",
    "zfill": "{{ 'a'.zfill(10**9) }}",
    "expandtabs": "{{ '\t'.expandtabs(10**9) }}",
    "expandtabs by name": "{{ '\t'.expandtabs(tabsize=10**9) }}",
    "indent": "{{ lines|indent(10**6) }}",
    "indent by a text": "{{ lines|indent(big) }}",
    "replace": "{{ big.replace('a', big) }}",
    "the filter replace": "{{ big|replace('a', big) }}",
    "join by a long text": "{{ big.join(big) }}",
    "the filter join by a long text": "{{ xs|join(big) }}",
    "batch": "{{ xs|batch(10**9, 'x') }}",
    "slice": "{{ xs|slice(10**9) }}",
    "wordwrap": "{{ big|wordwrap(1) }}",
    "wordwrap with a long end": "{{ words|wordwrap(1, wrapstring=big) }}",
    "striptags": "{{ ('<!---->' * 57000)|striptags }}",
    "urlize": "{{ ('a@' * 100000)|urlize }}",
    "pprint": "{{ rows|pprint }}",
    "sum": "{{ rows|sum(start=[]) }}",
    "a format that repeats": "{{ ('%(a)s' * 10000)|format(a=big) }}",
    "another format that repeats": "{{ ('{0}' * 10000).format(big) }}",
    "JSON that is indented": GROWING.replace("10000", "300") + "{% set ns.l = [ns.l, xs] %}" + END
    + "{{ ns.l|tojson(indent=100) }}",
}  # fmt: skip

REFUSED = {
    "a width": ("{{ '%1000000000d' % 1 }}", "wide at the most"),
    "a width of a value": ("{{ '%*d' % (1000000000, 1) }}", "wide at the most"),
    "a precision": ("{{ '%.1000000000f' % 1.5 }}", "wide at the most"),
    "a width behind a strange name": ("{{ '%((x))1000000000d' % {'(x)': 1} }}", "no valid field"),
    "a width in braces": ("{{ '{:1000000000}'.format(1) }}", "wide at the most"),
    "a width of a value in braces": ("{{ '{:{w}}'.format(1, w=10**9) }}", "wide at the most"),
    "a width of a mapping": ("{{ '{a:1000000000}'.format_map({'a': 1}) }}", "wide at the most"),
    "a width in a test": ("{{ '%1000000000d' is odd }}", "for numbers"),
    "another width in a test": ("{{ '%1000000000d' is divisibleby(3) }}", "for numbers"),
    "a power": ("{{ 10 ** 10000 }}", "thousand digits"),
    "a power that is a constant": ("{% if 9 ** 99999999 %}{% endif %}", "thousand digits"),
    "a float power": ("{{ 10.0 ** 1000 }}", "OverflowError"),
    "products": (GROWING + "{% set ns.n = ns.n * ns.n %}" + END, "thousand digits"),
    "sums": (GROWING + "{% set ns.n = ns.n + ns.n %}" + END, "thousand digits"),
    "differences": (GROWING + "{% set ns.n = ns.n - -ns.n %}" + END, "thousand digits"),
    "a long number": ("{{ 0x" + "f" * 100_000 + " }}", "thousand digits"),
    "a long decimal number": ("{{ " + "9" * 100_000 + " }}", "ValueError"),
    "a text as a number": ("{{ ('f' * 2000)|int(base=16) }}", "thousand digits"),
    "a long text as a number": ("{{ ('f' * 100000)|int(base=16) }}", "too long to be a number"),
    "rounding": ("{{ 1.5|round(10**9, 'ceil') }}", "at the most"),
    "indented JSON": ("{{ xs|tojson(indent=10**9) }}", "at the most"),
    "a range": ("{{ range(10**12)|list }}", "at the most"),
    "no slices": ("{{ xs|slice(0) }}", "ZeroDivisionError"),
    "endless recursion": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply"),
    "recursion by default": ("{% macro m(a=m()) %}{% endmacro %}{{ m() }}", "nested too deeply"),
    "recursion by caller": (
        "{% macro m() %}{% call m() %}{{ caller() if s }}{% endcall %}{{ caller() }}{% endmacro %}"
        "{% call m() %}{% endcall %}",
        "nested too deeply",
    ),
    "recursion by loop": ("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nested too deeply"),
    "a deep tuple as text": (DEEP + "{{ ns.x }}", "nested too deeply"),
    "a deep tuple as key": (DEEP + "{{ {ns.x: 1} }}", "cannot be used as a key"),
    "a deep tuple as subscript": (DEEP + "{{ d[ns.x] }}", "cannot be used as a key"),
    "a deep tuple to get": (DEEP + "{{ d.get(ns.x) }}", "cannot be used as a key"),
    "a deep tuple to find": (DEEP + "{{ ns.x in d }}", "cannot be used as a key"),
    "a deep tuple in dict()": (DEEP + "{{ dict([[ns.x, 1]]) }}", "cannot be used as a key"),
    "a deep tuple as name of a filter": (DEEP + "{{ [1]|map(ns.x) }}", "a name must be"),
    "a deep tuple as name of a test": (DEEP + "{{ [d]|selectattr('k', ns.x) }}", "a name must be"),
    "a deep tuple as attribute": (DEEP + "{{ [d]|map(attribute=ns.x) }}", "a name must be"),
    "a deep tuple to sort by": (DEEP + "{{ [d]|sort(attribute=ns.x) }}", "cannot be used as a key"),
    "deep tuples to make unique": (DEEP + "{{ [ns.x]|unique }}", "cannot be made unique"),
    "escaping by a constant": ("{% autoescape 10 ** 10 ** 10 %}{% endautoescape %}", "'autoescape'"),
    "many brackets": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
    "many lists": ("{{ " + "[" * 900 + "]" * 900 + " }}", "nested too deeply"),
    "many filters": ("{{ s" + "|upper" * 5000 + " }}", "nested too deeply"),
    "many sums": ("{{ 1" + "+1" * 5000 + " }}", "nested too deeply"),
    "many ifs": ("{% if s %}" * 150 + "{% endif %}" * 150, "IndentationError"),
    "many loops": ("{% for a in xs %}" * 25 + "{% endfor %}" * 25, "too many statically nested blocks"),
    "many parts": ("{{ s }}" * 20_000, "more than 30000 parts"),
    "much text": ("x" * 1_000_001, "1000001 characters"),
}  # fmt: skip


def attempt(text: str) -> str:
    began = time.process_time()
    try:
        with pytest.raises(TemplateRenderError) as raised:
            compile_jinja(text).render(VALUES, MAX_CHARS, max_steps=STEPS)
    finally:
        spent = time.process_time() - began
    assert spent < SECONDS
    return str(raised.value)


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_template_that_does_too_much_is_stopped(text: str) -> None:
    assert "the template does too much" in attempt(text)


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_template_that_asks_for_too_much_is_refused(text: str, message: str) -> None:
    assert message in attempt(text)


@pytest.mark.parametrize(
    "text", [forever("{{ s * 100 }}"), forever("y" * 1000), "{{ big }}{{ big }}", "{{ big|upper ~ big }}"]
)
def test_output_is_limited_while_it_is_made(text: str) -> None:
    assert attempt(text) == "the template makes a text of more than 400000 characters"


def test_names_of_the_renderer_cannot_be_taken_over() -> None:
    names = "".join(f"{{% set {name} = none %}}" for name in ("context", "environment", "resolve", "missing"))

    assert "does too much" in attempt(names + forever(FOREVER, END))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (
            "{% for i in range(30000) %}{{ loop.index }}: {{ xs[i % 1000]|string|upper }}\n{% endfor %}",
            315_594,
        ),
        (
            GROWING.replace("10000", "3000") + "{% set ns.x = ns.x ~ i ~ big[:50] %}" + END + "{{ ns.x }}",
            160_891,
        ),
        ("{{ rows|tojson }}", 502_000),
        ("{{ words.split()|unique|list|length }}{{ words|replace('word', 'more words')|length }}", 7),
        (
            "{% for r in rows %}{% for x in r %}{{ x }}{{ ',' if not loop.last }}{% endfor %}\n{% endfor %}",
            200_000,
        ),
    ],
    ids=["long loop", "long text", "large JSON", "text work", "table"],
)
def test_large_honest_work_is_done(text: str, length: int) -> None:
    assert len(render_jinja(text, VALUES, max_chars=1_000_000)) == length
