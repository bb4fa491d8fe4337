"""What an app says about itself. Source: Dify service API, `/info`, `/parameters`, `/meta`, `/site`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.session import Session
from weft.client._call import get

if TYPE_CHECKING:
    from weft.wire import AppInfo, AppMeta, AppParameters, Site


class AppOperations(Session):
    """The app behind the key."""

    async def info(self) -> AppInfo:
        """Name, kind and tags of the app."""
        return await self._send(get(wire.AppInfo, "/info"))

    async def parameters(self) -> AppParameters:
        """What a front end needs before the first message: form, features, limits.

        Raises:
            InvalidRequestError: The app was never published.
        """
        return await self._send(get(wire.AppParameters, "/parameters"))

    async def meta(self) -> AppMeta:
        """Icons of the tools the app uses."""
        return await self._send(get(wire.AppMeta, "/meta"))

    async def site(self) -> Site:
        """How the app presents itself as a web page.

        Raises:
            ForbiddenError: It does not.
        """
        return await self._send(get(wire.Site, "/site"))
