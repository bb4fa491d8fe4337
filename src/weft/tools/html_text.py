"""The text of a web page, without what only browsers need."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_UNSEEN = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "head"})
_BREAKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "footer"),
        *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre"),
        *("section", "table", "td", "th", "title", "tr", "ul"),
    }
)
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")


def page_text(markup: str) -> tuple[str, str]:
    """The title and the text of a page; blocks become lines."""
    reader = _Reader()
    # The parser is not closed: it would go over what is left unfinished again and again.
    reader.feed(markup)
    if "<" not in reader.rawdata:
        reader.handle_data(html.unescape(reader.rawdata))
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(reader.text).split("\n"))
    return " ".join("".join(reader.title).split()), "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        self._in_title = False
        self._unseen: list[str] = []
        """Elements around this place whose text nobody sees."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and "svg" not in self._unseen:
            self._in_title = True
        elif tag == "body":
            self._unseen.clear()
        elif tag in _UNSEEN:
            self._unseen.append(tag)
        if tag in _BREAKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        if tag in _BREAKS:
            self._break()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self._break()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._unseen:
            self.text.append(data)

    def _break(self) -> None:
        self.text.append("\n")
