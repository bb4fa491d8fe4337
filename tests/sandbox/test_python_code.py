from __future__ import annotations

import hashlib
import hmac
import textwrap
from pathlib import Path

import pytest

from weft.errors import CodeFailedError
from weft.sandbox import Sandbox, open_sandbox

pytestmark = pytest.mark.anyio


def code(text: str) -> str:
    return textwrap.dedent(text).strip() + "\n"


async def failure(sandbox: Sandbox, source: str, **inputs: object) -> str:
    with pytest.raises(CodeFailedError) as caught:
        await sandbox.run("python3", code(source), inputs)
    return str(caught.value)


async def test_json_values_go_in_and_come_back_unchanged(sandbox: Sandbox) -> None:
    values: dict[str, object] = {
        "text": "naïve 漢字 😀 \x00 \u2028 </script>",
        "number": 12345678901234567890,
        "fraction": 0.1,
        "small": 5e-324,
        "yes": True,
        "nothing": None,
        "nested": [{"a": [1, [2, {"b": None}]]}, "", [], {}],
        "class": "a keyword is a fine name with **rest",
    }
    assert await sandbox.run("python3", "def main(**rest): return rest", values) == values


async def test_large_inputs_and_results_pass(sandbox: Sandbox) -> None:
    text = "漢" * 400_000
    result = await sandbox.run("python3", "def main(a): return {'b': a + a}", {"a": text})
    assert result == {"b": text + text}


async def test_floats_that_json_cannot_say_become_null(sandbox: Sandbox) -> None:
    source = "def main(x): return {'x': x, 'out': [float('nan'), float('inf'), -float('inf'), 1.5]}"
    result = await sandbox.run("python3", source, {"x": float("nan")})
    assert result == {"x": None, "out": [None, None, None, 1.5]}


async def test_tuples_and_keys_become_what_json_has(sandbox: Sandbox) -> None:
    source = "def main(): return {1: (1, 2), None: 'n', 'half': 'a\\ud800b'}"
    assert await sandbox.run("python3", source, {}) == {"1": [1, 2], "null": "n", "half": "a?b"}


async def test_print_does_not_touch_the_result(sandbox: Sandbox) -> None:
    source = """
        import sys
        print('{"answer": 0}')
        def main():
            print("noise " * 100_000)
            print("more", file=sys.stderr, flush=True)
            sys.stdout.flush()
            return {"answer": 42}
    """
    assert await sandbox.run("python3", code(source), {}) == {"answer": 42}


async def test_the_standard_library_is_usable(sandbox: Sandbox) -> None:
    source = """
        import asyncio, csv, dataclasses, decimal, hashlib, hmac, io, lzma, sqlite3, ssl, statistics, uuid
        import xml.etree.ElementTree as ElementTree
        from concurrent.futures import ThreadPoolExecutor
        from urllib.parse import parse_qs

        @dataclasses.dataclass
        class Point:
            x: int

        async def later():
            await asyncio.sleep(0)
            return await asyncio.to_thread(lambda: "thread")

        def main():
            with ThreadPoolExecutor(4) as pool:
                squares = list(pool.map(lambda n: n * n, range(5)))
            return {
                "md5": hashlib.md5(b"weft").hexdigest(),
                "hmac": hmac.new(b"k", b"m", "sha256").hexdigest()[:8],
                "sqlite": sqlite3.connect(":memory:").execute("select 1 + 1").fetchone()[0],
                "decimal": str(decimal.Decimal("0.1") * 3),
                "csv": next(csv.reader(io.StringIO("a,b"))),
                "lzma": lzma.decompress(lzma.compress(b"x")).decode(),
                "xml": ElementTree.fromstring("<a><b>1</b></a>").findtext("b"),
                "uuid": len(str(uuid.uuid4())),
                "query": parse_qs("a=1&a=2"),
                "point": dataclasses.asdict(Point(1)),
                "gbk": "漢".encode("gbk").hex(),
                "mean": statistics.mean([1, 2, 3]),
                "tls": ssl.OPENSSL_VERSION.split()[0],
                "async": asyncio.run(later()),
                "squares": squares,
            }
    """
    assert await sandbox.run("python3", code(source), {}) == {
        "md5": hashlib.md5(b"weft").hexdigest(),
        "hmac": hmac.new(b"k", b"m", "sha256").hexdigest()[:8],
        "sqlite": 2,
        "decimal": "0.3",
        "csv": ["a", "b"],
        "lzma": "x",
        "xml": "1",
        "uuid": 36,
        "query": {"a": ["1", "2"]},
        "point": {"x": 1},
        "gbk": "9d68",
        "mean": 2,
        "tls": "OpenSSL",
        "async": "thread",
        "squares": [0, 1, 4, 9, 16],
    }


@pytest.mark.skipif(
    not Path("/usr/share/zoneinfo/Asia/Shanghai").exists(), reason="this machine has no time zone data"
)
async def test_the_clock_stands_in_utc_and_time_zones_are_known(sandbox: Sandbox) -> None:
    source = """
        import datetime, zoneinfo
        def main():
            there = datetime.datetime(2024, 1, 1, 12, tzinfo=zoneinfo.ZoneInfo("Asia/Shanghai"))
            here = datetime.datetime.now().astimezone()
            return {"there": there.isoformat(), "here": here.utcoffset().total_seconds()}
    """
    result = await sandbox.run("python3", code(source), {})
    assert result == {"there": "2024-01-01T12:00:00+08:00", "here": 0.0}


async def test_calls_do_not_share_their_random_numbers_or_globals(sandbox: Sandbox) -> None:
    source = """
        import builtins, json, random
        def main():
            seen = getattr(builtins, "seen", 0) + getattr(json, "seen", 0)
            builtins.seen = json.seen = 1
            return {"random": random.random(), "seen": seen}
    """
    results = [await sandbox.run("python3", code(source), {}) for _ in range(3)]
    assert [result["seen"] for result in results] == [0, 0, 0]
    assert len({result["random"] for result in results}) == 3


async def test_an_exception_is_told_with_the_authors_own_lines_only(sandbox: Sandbox) -> None:
    message = await failure(
        sandbox,
        """
        import json
        def parse(text):
            return json.loads(text)
        def main(text):
            return {"x": parse(text)}
        """,
        text="{",
    )
    assert message.splitlines() == [
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1) (line 3)",
        "",
        "Traceback (most recent call last):",
        '  File "main.py", line 5, in main',
        '    return {"x": parse(text)}',
        "                 ^^^^^^^^^^^",
        '  File "main.py", line 3, in parse',
        "    return json.loads(text)",
        "           ^^^^^^^^^^^^^^^^",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
    ]


async def test_causes_are_told_without_paths_of_this_machine(sandbox: Sandbox) -> None:
    message = await failure(
        sandbox,
        """
        def main():
            try:
                import json
                json.loads("[")
            except ValueError as error:
                raise ExceptionGroup("several", [KeyError("k"), error]) from error
        """,
    )
    assert message.startswith("ExceptionGroup: several (2 sub-exceptions) (line 6)\n")
    assert "KeyError: 'k'" in message
    assert "The above exception was the direct cause" in message
    assert "/" not in message


async def test_a_syntax_error_names_its_line(sandbox: Sandbox) -> None:
    message = await failure(sandbox, "x = 1\ndef main(:\n  pass")
    assert message.splitlines()[0] == "SyntaxError: invalid syntax (line 2)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "the code defines no function 'main'; write: def main(...) -> dict"),
        ("def main(): return 'text'", "main returned a str instead of a dict"),
        ("def main(): return [1]", "main returned a list instead of a dict"),
        ("def main(): pass", "main returned a NoneType instead of a dict"),
        (
            "def main(): return {'x': {1}}",
            "main returned a dict that JSON cannot hold: Object of type set is not JSON serializable",
        ),
        (
            "def main():\n d = {}\n d['d'] = d\n return d",
            "main returned a dict that JSON cannot hold: Circular reference detected",
        ),
        (
            "def main():\n d = {}\n for _ in range(100_000): d = {'d': d}\n return d",
            "main returned a dict that is nested too deeply",
        ),
        ("import sys\nsys.exit(3)", "the code called exit(3) instead of returning a dict"),
        ("import os\nos._exit(3)", "the code ended its process before main returned (exit status 3)"),
    ],
)
async def test_what_is_not_a_result_is_explained(sandbox: Sandbox, source: str, message: str) -> None:
    assert await failure(sandbox, source) == message


async def test_wrong_arguments_are_explained(sandbox: Sandbox) -> None:
    message = await failure(sandbox, "def main(a): return {}", b=1)
    assert message.splitlines()[0] == "TypeError: main() got an unexpected keyword argument 'b'"


async def test_a_very_long_message_keeps_its_two_ends(sandbox: Sandbox) -> None:
    message = await failure(sandbox, "def main(): raise ValueError('x' * 1_000_000 + 'end')")
    assert message.startswith("ValueError: xxx")
    assert "characters left out" in message
    assert message.endswith("end")
    assert len(message) < 9_000


async def test_an_absent_package_is_named_with_what_to_do(sandbox: Sandbox) -> None:
    message = await failure(sandbox, "import requests_of_nobody")
    assert message.startswith("ModuleNotFoundError: No module named 'requests_of_nobody' (line 1)")
    assert "setting 'sandbox.packages'" in message


async def test_packages_of_the_server_are_not_to_be_had(sandbox: Sandbox) -> None:
    assert (await failure(sandbox, "import msgspec")).startswith("ModuleNotFoundError")
    assert (await failure(sandbox, "import weft")).startswith("ModuleNotFoundError")


async def test_folders_of_packages_can_be_added(tmp_path: Path) -> None:
    import msgspec

    folder = tmp_path / "lib"
    (folder / "greeting").mkdir(parents=True)
    (folder / "greeting" / "__init__.py").write_text("from greeting.text import hello")
    (folder / "greeting" / "text.py").write_text("def hello(name): return f'hello {name}'")
    compiled = Path(msgspec.__file__).parents[1]
    for opened in (folder, folder / "greeting"):
        opened.chmod(0o755)
    source = """
        import greeting, msgspec
        def main(name):
            return {"text": greeting.hello(name), "json": msgspec.json.encode([1]).decode()}
    """
    sandbox = open_sandbox(packages=[folder, compiled])
    try:
        result = await sandbox.run("python3", code(source), {"name": "you"})
    finally:
        await sandbox.close()
    assert result == {"text": "hello you", "json": "[1]"}
