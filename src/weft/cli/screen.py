"""Where a command writes: a terminal gets colour and boxes, everything else plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class Screen:
    """A file that people read.

    What it is given may come from anywhere: nothing in it is markup, and a terminal is kept safe from
    control characters.

    Args:
        file: Usually standard output.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._console: Console | None = None
        self.is_terminal = file.isatty()
        """Whether somebody is looking."""

    def write(self, text: str) -> None:
        """Write a piece of text at once, without anything after it."""
        self._file.write(text.translate(_CONTROL) if self.is_terminal else text)
        self._file.flush()

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line; longer ones are not broken.

        Args:
            text: The line.
            style: How it looks on a terminal, e.g. ``bold`` or ``dim``.
        """
        if not self.is_terminal:
            self.write(f"{text}\n")
            return
        self._rich().print(
            text.translate(_CONTROL), style=style, markup=False, highlight=False, emoji=False, soft_wrap=True
        )

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Write names and what they stand for, a line each."""
        rows = list(pairs)
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            self.line(f"  {name:<{width}}  {value}")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
    ) -> None:
        """Write a table.

        Args:
            columns: Names of the columns.
            rows: A cell for each column.
            right: Names of the columns that are flush right.
        """
        if self.is_terminal:
            self._rich_table(columns, rows, right)
            return
        cells = [tuple(columns), *(tuple(" ".join(cell.split()) for cell in row) for row in rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
        for row in cells:
            padded = (
                cell.rjust(width) if name in right else cell.ljust(width)
                for cell, width, name in zip(row, widths, columns, strict=True)
            )
            self.line("  ".join(padded).rstrip())

    def _rich_table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]
    ) -> None:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.ROUNDED, header_style="bold")
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell.translate(_CONTROL)) for cell in row))
        self._rich().print(table)

    def _rich(self) -> Console:
        if self._console is None:
            from rich.console import Console  # costs more than most commands need to spend

            self._console = Console(file=self._file)
        return self._console
