from __future__ import annotations

import io

from weft.cli.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_is_plain_columns_where_nobody_looks() -> None:
    file = io.StringIO()
    Screen(file).table(
        ("#", "node", "note"), [("1", "Start", ""), ("10", "A long\nname", "[bold]x[/]")], right=("#",)
    )
    assert file.getvalue() == " #  node         note\n 1  Start\n10  A long name  [bold]x[/]\n"


def test_facts_stand_in_two_columns() -> None:
    file = io.StringIO()
    Screen(file).facts([("a", "1"), ("long", "2")])
    assert file.getvalue() == "  a     1\n  long  2\n"


def test_a_terminal_gets_a_table_with_what_is_in_it_and_no_markup_of_others() -> None:
    file = Terminal()
    Screen(file).table(("node",), [("[bold]x[/]\x1b[2J",)])
    assert "[bold]x[/]" in file.getvalue()
    assert "\x1b[2J" not in file.getvalue()


def test_what_a_model_says_cannot_command_a_terminal() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for file in (terminal, pipe):
        Screen(file).write("a\x1b]0;title\x07b\x9b1m\r\tc\n")
    assert terminal.getvalue() == "a]0;titleb1m\tc\n"
    assert pipe.getvalue() == "a\x1b]0;title\x07b\x9b1m\r\tc\n"


def test_a_long_line_is_not_broken() -> None:
    file = Terminal()
    Screen(file).line("key " * 200)
    assert file.getvalue().rstrip() == ("key " * 200).rstrip()
