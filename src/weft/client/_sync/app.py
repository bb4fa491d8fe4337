# Written by scripts/unasync.py from ../_async/app.py; change that file instead.
"""What an app says about itself. Source: Dify service API, `/info`, `/parameters`, `/meta`, `/site`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._call import get
from weft.client._sync.session import Session

if TYPE_CHECKING:
    from weft.wire import AppInfo, AppMeta, AppParameters, Site


class AppOperations(Session):
    """The app behind the key."""

    def info(self) -> AppInfo:
        """Name, kind and tags of the app."""
        return self._send(get(wire.AppInfo, "/info"))

    def parameters(self) -> AppParameters:
        """What a front end needs before the first message: form, features, limits.

        Raises:
            InvalidRequestError: The app was never published.
        """
        return self._send(get(wire.AppParameters, "/parameters"))

    def meta(self) -> AppMeta:
        """Icons of the tools the app uses."""
        return self._send(get(wire.AppMeta, "/meta"))

    def site(self) -> Site:
        """How the app presents itself as a web page.

        Raises:
            ForbiddenError: It does not.
        """
        return self._send(get(wire.Site, "/site"))
