"""Why nothing could be searched.

::

    ConfigError
      UnknownDatasetError      no settings for a dataset of that id
    RemoteError
      RetrievalError           a dataset could not be read, or its service did not answer as it should
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.errors import ConfigError, RemoteError


class UnknownDatasetError(ConfigError):
    """There are no settings for a dataset; `dataset_id` is the one that is missing."""

    def __init__(self, dataset_id: str, known: Sequence[str]) -> None:
        self.dataset_id = dataset_id
        super().__init__(
            f'dataset {dataset_id!r} is not known here; add a table [datasets."{dataset_id}"] to weft.toml '
            'with folder = "path" for texts on this machine, or with dify = "https://host/v1" or '
            'external = "https://host" and an api_key for a knowledge service; '
            f"known: {', '.join(known) or 'none'}"
        )


class RetrievalError(RemoteError):
    """A dataset could not be searched; the message names it."""
