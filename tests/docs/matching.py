"""Whether a program printed what a page shows: exactly that, apart from what differs from run to run."""

from __future__ import annotations

import re

_MASKS = [
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
        (r"\bapp-[A-Za-z0-9]{24}\b", "<key>"),
        (r"\bweft-[A-Za-z0-9]{40}\b", "<token>"),
        (r"(admin@weft\.local[\"',:a-z ]+)[A-Za-z0-9]{20}\b", r"\1<password>"),
        (r"(?<=_time\":)\d[\d.e-]*|(?<=latency\":)\d[\d.e-]*|(?<=_to_\w{8}\":)\d[\d.e-]*", "<seconds>"),
        (r"\b\d+(\.\d+)? ?m?s\b", "<duration>"),
        (r"\b1[6-9]\d{8}\b", "<instant>"),
        (r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*Z?", "<instant>"),
    )
]
_ELLIPSIS = "..."


def explain_difference(shown: str, printed: str) -> str:
    """What is wrong with what a page shows; empty if nothing is.

    A line ``...`` stands for any lines, ``...`` inside a line for any text; the amount of white space does
    not matter, nor do ids, keys, instants and durations.
    """
    wanted, found = _lines(shown), _lines(printed)
    if re.fullmatch("".join(map(_pattern, wanted)), "".join(f"{line}\n" for line in found)):
        return ""
    # The longest beginning that the program did print tells where to look.
    for count in range(len(wanted), 0, -1):
        beginning = re.match("".join(map(_pattern, wanted[:count])), "".join(f"{line}\n" for line in found))
        if beginning is not None:
            rest = "".join(f"{line}\n" for line in found)[beginning.end() :].splitlines()
            shown_next = wanted[count] if count < len(wanted) else "nothing more"
            break
    else:
        rest, shown_next = found, wanted[0] if wanted else "nothing"
    return f"the page shows\n    {shown_next}\nbut the program printed\n" + "\n".join(rest[:12])


def _pattern(line: str) -> str:
    if line == _ELLIPSIS:
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(part) for part in line.split(_ELLIPSIS)) + r"\n"


def _lines(text: str) -> list[str]:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line]
