"""The data folder, made before anything wants to write there."""

from __future__ import annotations

from weft.cli.failure import BadCallError
from weft.settings import Settings


def make_data_folder(settings: Settings) -> None:
    """Make the folder if it is not there.

    Raises:
        BadCallError: It cannot be made.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadCallError(
            f"the data folder {settings.data} cannot be made: {error.strerror}; name another one with --data "
            "or WEFT_DATA"
        ) from error
