"""Running a JavaScript code node in QuickJS: ``main({...})``.

The engine gets no function of the host. What its library lacks and code nodes expect (a console) is defined
in JavaScript. The engine's own limits give the clear messages; the walls around the process are what holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import cast

from .complaint import ComplaintError, shorten, too_much_memory, too_much_time
from .messages import encode

FILE = "main.js"
"""The name of the code in stack traces."""
_ENGINE_FILE = "<input>"
"""The name that the engine gives to everything it evaluates."""
_CALLER = "weftCall"

# Evaluated before the code, so the functions that matter are taken while they are still the engine's own.
_PRELUDE = """
(function () {
  const {parse, stringify} = JSON, isArray = Array.isArray, thenOf = Promise.prototype.then;
  const quiet = () => {};
  globalThis.console = {};
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'table']) console[name] = quiet;
  const describe = (error) => error instanceof Error
    ? `${error.name}: ${error.message}\\n${error.stack}` : `thrown: ${stringify(error) ?? String(error)}`;
  const finish = (value) => {
    const kind = value === null ? 'null' : isArray(value) ? 'array' : typeof value;
    try {
      state = kind === 'object' ? ['result', stringify(value)] : ['other', kind];
    } catch (error) {
      state = ['unsayable', describe(error)];
    }
  };
  const fail = (error) => { state = ['thrown', describe(error)]; };
  let state = ['waiting', ''];
  return function weftCall(text) {
    if (text === '') return stringify(state);
    if (typeof main !== 'function') return stringify(['missing', typeof main]);
    try {
      const value = main(parse(text));
      if (value instanceof Promise) thenOf.call(value, finish, fail);
      else finish(value);
    } catch (error) {
      fail(error);
    }
    return stringify(state);
  };
})()
"""


def run(engine: ModuleType, source: str, inputs: bytes, *, memory_bytes: int, cpu_seconds: int) -> bytes:
    """Run the code and give its result as JSON.

    Args:
        engine: The extension module of QuickJS.
        source: Defines a function ``main``; a promise that it returns is waited for.
        inputs: JSON object, the one argument.
        memory_bytes: The most the engine may allocate.
        cpu_seconds: Processor time after which the engine stops.

    Raises:
        ComplaintError: The code is at fault.
    """
    context = engine.Context()
    context.set_memory_limit(memory_bytes)
    context.set_time_limit(cpu_seconds)
    try:
        call = cast(Callable[[str], str], context.eval(_PRELUDE))
        context.eval(source)
        kind, text = json.loads(call(inputs.decode()))
        if kind == "waiting":
            while context.execute_pending_job():
                pass
            kind, text = json.loads(call(""))
    except engine.JSException as error:
        raise ComplaintError(_tell(str(error), memory_bytes, cpu_seconds)) from None
    except MemoryError:
        raise ComplaintError(too_much_memory(memory_bytes)) from None
    except (ValueError, TypeError, RecursionError):
        # The code replaced parts of the language that the prelude rests on, or nested without end.
        raise ComplaintError("main returned an object that JSON cannot hold") from None
    return _result(kind, text, memory_bytes, cpu_seconds)


def _result(kind: str, text: str, memory_bytes: int, cpu_seconds: int) -> bytes:
    if kind == "result":
        try:
            value = json.loads(text)
        except RecursionError:
            raise ComplaintError("main returned an object that is nested too deeply") from None
        if isinstance(value, dict):
            return encode(value)
        raise ComplaintError("main returned an object whose toJSON gives something else than an object")
    if kind == "thrown":
        raise ComplaintError(_tell(text, memory_bytes, cpu_seconds))
    first_line = text.partition("\n")[0]
    raise ComplaintError(
        {
            "missing": "the code defines no function 'main'; write: function main({...}) { return {...} }",
            "waiting": "main returned a promise that nothing fulfils; there is no timer and no network",
            "unsayable": f"main returned an object that JSON cannot hold: {first_line}",
        }.get(kind, f"main returned {text} instead of an object")
    )


def _tell(text: str, memory_bytes: int, cpu_seconds: int) -> str:
    """The message and the author's own lines of the stack."""
    head = text.splitlines()[0].strip() if text.strip() else ""
    # An engine without memory cannot make an error object, and throws null.
    if head in ("null", "thrown: null", "InternalError: out of memory"):
        return too_much_memory(memory_bytes)
    if head == "InternalError: interrupted":
        return too_much_time(cpu_seconds)
    own: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith(f"at {_CALLER} "):
            break
        if line.strip() not in ("", "undefined"):
            own.append(line.replace(_ENGINE_FILE, FILE))
    return shorten("\n".join(own)) or "the code threw something that cannot be shown"
