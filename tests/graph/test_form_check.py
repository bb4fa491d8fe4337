from __future__ import annotations

from typing import Any

import pytest

from tests.graph.apps import END, START, node
from tests.graph.checking import check, warned

WAYS = ["start > ask", "ask:yes > end"]


def ask(*methods: Any, actions: Any = ("yes",)) -> Any:
    return node(
        "ask",
        "human-input",
        delivery_methods=list(methods),
        user_actions=[{"id": action, "title": action} for action in actions],
    )


WEB = {"type": "webapp", "enabled": True}
MAIL = {"type": "email", "enabled": True}


@pytest.mark.parametrize("methods", [[], [WEB], [WEB, {**MAIL, "enabled": False}], ["odd"]])
def test_a_form_in_the_web_app_is_fine(methods: list[Any]) -> None:
    assert warned(check([START, END, ask(*methods)], WAYS)) == []


def test_a_form_that_goes_out_by_mail_only_reaches_nobody() -> None:
    report = check([START, END, ask(MAIL, {"type": "slack"})], WAYS)
    assert warned(report) == [("node.undelivered_form", "ask")]
    (warning,) = report.warnings
    assert "by email, slack, and Weft sends none: nobody gets a token" in warning.message


def test_a_mail_beside_the_web_app_is_not_sent() -> None:
    report = check([START, END, ask(WEB, MAIL)], WAYS)
    assert warned(report) == [("node.undelivered_form", "ask")]
    assert "token" not in report.warnings[0].message
