from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from weft import registry
from weft.errors import ConfigError
from weft.registry import Registry


def colours(**table: str) -> Registry[object]:
    return Registry(
        "colour", "weft.test_colours", table or {"blue": "string:ascii_letters", "red": "string:digits"}
    )


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """Entry points of others; a test adds to them."""
    found: list[EntryPoint] = []
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [entry for entry in found if entry.group == group]
    )
    return found


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="weft.test_colours")


def test_a_member_is_imported_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    made = colours(zen="this:s", blue="string:ascii_letters")
    assert ("zen" in made, "this" in sys.modules) == (True, False)
    assert made.get("blue") == "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert "this" not in sys.modules


def test_all_names_are_known_in_order() -> None:
    assert (colours().names(), list(colours())) == (["blue", "red"], ["blue", "red"])


def test_an_unknown_name_is_refused_along_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="unknown colour 'green'; known: blue, red"):
        colours().get("green")
    assert "green" not in colours()
    assert 5 not in colours()


@pytest.mark.parametrize("target", ["no_such_module_anywhere:x", "string:no_such_attribute"])
def test_a_member_that_cannot_be_imported_is_named(target: str) -> None:
    with pytest.raises(ConfigError, match="colour 'odd' cannot be imported from"):
        colours(odd=target).get("odd")


def test_plugins_of_others_are_found(plugins: list[EntryPoint]) -> None:
    plugins.append(entry("pink", "string:hexdigits"))
    made = colours()
    assert ("pink" in made, made.names()) == (True, ["blue", "pink", "red"])
    assert made.get("pink") == "0123456789abcdefABCDEF"


def test_a_plugin_may_not_take_a_name_of_ours(plugins: list[EntryPoint]) -> None:
    plugins.append(entry("blue", "string:hexdigits"))
    with pytest.raises(ConfigError, match="colour 'blue' of string:hexdigits is registered already"):
        colours().names()


def test_a_plugin_that_cannot_be_imported_does_no_harm_until_it_is_used(plugins: list[EntryPoint]) -> None:
    plugins.append(entry("pink", "no_such_module_anywhere:x"))
    made = colours()
    assert made.get("red") == "0123456789"
    with pytest.raises(ConfigError, match="colour 'pink' cannot be imported"):
        made.get("pink")


def test_members_may_be_added_by_hand_once() -> None:
    made = colours()
    made.add("green", "a colour")
    assert (made.get("green"), made.names()) == ("a colour", ["blue", "green", "red"])
    for name in ("green", "blue"):
        with pytest.raises(ConfigError, match=f"colour '{name}' is registered twice; rename one of them"):
            made.add(name, "another")


def test_a_member_is_loaded_once() -> None:
    made: Registry[object] = Registry("counter", "weft.test_counters", {"one": "collections:Counter"})
    assert made.get("one") is made.get("one")
