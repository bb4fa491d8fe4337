"""What the conversation archive owes its users: observable behaviour, one row each, for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ARCHIVE: Final[Mapping[int | str, str]] = {
    # Save
    1: "A save answers with success, a message, three counts and the paths of its files.",
    2: "Saved files lie by organisation, year, month and day of creation below logs/conversations.",
    3: "A file is named after the conversation's id and the instant at which it was logged.",
    4: "Without an organisation the folder of the year comes first.",
    5: "A save keeps to the dates and the source of its filters.",
    6: "A conversation that cannot be had is counted and does not stop the others.",
    7: "A file has the guide's fields in the guide's order.",
    8: "A message in a file has all ten of the guide's fields.",
    9: "Saving what has not changed writes nothing and still counts as saved.",
    # Summary, export, clean
    10: "A summary counts files and bytes and names the day folders.",
    11: "A summary of an organisation counts only its own files.",
    12: "An export holds the conversations of a range of days, both ends included.",
    13: "An export of an organisation holds only its own conversations.",
    14: "Exported conversations have their messages and the instant at which they were logged.",
    15: "Cleaning deletes what is older than the days to keep and tells how many files and bytes it was.",
    16: "Cleaning an organisation leaves the others alone.",
    # Scheduled
    17: "A scheduled save saves several apps, and one that fails stops no other.",
    18: "Pulling every day at two is scheduled when automatic logging is on.",
    19: "Cleaning every Sunday at three is scheduled when a retention is set.",
    20: "Scheduled work that was missed is caught up once when somebody works again.",
    21: "The environment variables of the guide are settings.",
    # Care
    22: "Every call of the archive needs a token.",
    23: "An unknown action is refused with the list of those that there are.",
    24: "A date that is none is refused by its name.",
    25: "An upstream key that a body carries is stored nowhere.",
    26: "A schedule names keys and cannot hold one.",
    27: "No id of an organisation or a conversation leads out of the archive.",
    # What the guide wishes for
    28: "A conversation is told on an event stream when it is archived.",
    29: "Archived messages can be searched and filtered.",
    30: "Figures about archived conversations can be had, also by app and day.",
    31: "A failed save is told to webhooks, signed, and so is its recovery.",
    32: "A disk that fills up is told to webhooks once.",
    33: "A long save can go on in the background, where it can be looked at and cancelled.",
    34: "Conversations on hold are not deleted.",
    35: "An archive can be proven over HTTP.",
    36: "Exports can be taken in again.",
    37: "The command line offers the guide's operations on the files themselves, without a server.",
}
