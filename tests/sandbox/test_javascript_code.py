from __future__ import annotations

import re

import pytest

from weft.errors import CodeFailedError
from weft.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def failure(sandbox: Sandbox, source: str, **inputs: object) -> str:
    with pytest.raises(CodeFailedError) as caught:
        await sandbox.run("javascript", source, inputs)
    return str(caught.value)


async def test_json_values_go_in_and_come_back_unchanged(sandbox: Sandbox) -> None:
    values: dict[str, object] = {
        "text": "naïve 漢字 😀 \x00 \u2028 </script>",
        "number": 9007199254740991,
        "fraction": 0.1,
        "yes": True,
        "nothing": None,
        "nested": [{"a": [1, [2, {"b": None}]]}, "", [], {}],
        "__proto__": "just a name",
    }
    assert await sandbox.run("javascript", "function main(all) { return all }", values) == values


async def test_large_inputs_and_results_pass(sandbox: Sandbox) -> None:
    text = "漢" * 400_000
    result = await sandbox.run("javascript", "const main = ({a}) => ({b: a + a})", {"a": text})
    assert result == {"b": text + text}


async def test_what_json_cannot_say_becomes_null_or_is_left_out(sandbox: Sandbox) -> None:
    source = "const main = () => ({a: NaN, b: -Infinity, c: undefined, d: () => 1, e: 'x\\ud800'})"
    assert await sandbox.run("javascript", source, {}) == {"a": None, "b": None, "e": "x?"}


async def test_a_promise_is_waited_for(sandbox: Sandbox) -> None:
    source = "async function main({a}) { const b = await Promise.resolve(a + 1); return {b} }"
    assert await sandbox.run("javascript", source, {"a": 1}) == {"b": 2}


async def test_the_console_is_there_and_silent(sandbox: Sandbox) -> None:
    source = "function main() { console.log('x'); console.error({}); return {ok: true} }"
    assert await sandbox.run("javascript", source, {}) == {"ok": True}


async def test_calls_do_not_share_their_random_numbers_or_globals(sandbox: Sandbox) -> None:
    source = """
        function main() {
            const seen = globalThis.seen || 0;
            globalThis.seen = 1;
            return {random: Math.random(), seen};
        }
    """
    results = [await sandbox.run("javascript", source, {}) for _ in range(3)]
    assert [result["seen"] for result in results] == [0, 0, 0]
    assert len({result["random"] for result in results}) == 3


async def test_an_exception_is_told_with_the_authors_own_lines_only(sandbox: Sandbox) -> None:
    source = "function deep(a) {\n  return a.b.c\n}\nfunction main(a) {\n  return {x: deep(a)}\n}"
    message = await failure(sandbox, source)
    assert re.sub(r":\d+\)", ")", message).splitlines() == [
        "TypeError: cannot read property 'c' of undefined",
        "    at deep (main.js:2)",
        "    at main (main.js:5)",
    ]


async def test_a_rejected_promise_is_told_like_an_exception(sandbox: Sandbox) -> None:
    message = await failure(sandbox, "async function main() {\n  throw new RangeError('too far')\n}")
    assert message.splitlines()[0] == "RangeError: too far"
    assert "main.js:2" in message


async def test_a_syntax_error_names_its_line(sandbox: Sandbox) -> None:
    message = await failure(sandbox, "let x = 1\nfunction main( {")
    assert message.startswith("SyntaxError: ")
    assert "main.js:2" in message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("let x = 1", "the code defines no function 'main'; write: function main({...}) { return {...} }"),
        ("function main() { return 'text' }", "main returned string instead of an object"),
        ("function main() { return [1] }", "main returned array instead of an object"),
        ("function main() { return null }", "main returned null instead of an object"),
        ("function main() { }", "main returned undefined instead of an object"),
        ("function main() { throw {code: 7} }", 'thrown: {"code":7}'),
        ("function main() { throw undefined }", "thrown: undefined"),
        (
            "function main() { return new Promise(() => {}) }",
            "main returned a promise that nothing fulfils; there is no timer and no network",
        ),
        (
            "function main() { return {a: 1n} }",
            "main returned an object that JSON cannot hold: "
            "TypeError: BigInt are forbidden in JSON.stringify",
        ),
        (
            "function main() { return {toJSON() { return 5 }} }",
            "main returned an object whose toJSON gives something else than an object",
        ),
        (
            "Array.prototype.toJSON = () => 5; const main = () => ({})",
            "main returned an object that JSON cannot hold",
        ),
    ],
)
async def test_what_is_not_a_result_is_explained(sandbox: Sandbox, source: str, message: str) -> None:
    assert await failure(sandbox, source) == message


@pytest.mark.parametrize(
    "name",
    ["require", "process", "std", "os", "fetch", "Deno", "module", "setTimeout", "scriptArgs", "loadScript"],
)
async def test_the_engine_has_no_door_to_the_host(sandbox: Sandbox, name: str) -> None:
    source = (
        f"const main = () => ({{plain: typeof {name}, built: new Function('return typeof {name}')(), "
        f"inside: (function () {{}}).constructor('return typeof globalThis.{name}')()}})"
    )
    result = await sandbox.run("javascript", source, {})
    assert result == {"plain": "undefined", "built": "undefined", "inside": "undefined"}


@pytest.mark.parametrize("module", ["std", "os", "qjs:std", "qjs:os", "fs", "/etc/passwd", "./main.js"])
async def test_nothing_can_be_imported(sandbox: Sandbox, module: str) -> None:
    source = f"async function main() {{ return {{found: Object.keys(await import('{module}'))}} }}"
    message = await failure(sandbox, source)
    assert message.splitlines()[0].startswith(("ReferenceError", "TypeError", "SyntaxError")), message
