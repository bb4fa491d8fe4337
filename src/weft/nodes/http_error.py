"""Why an HTTP request node failed; the class names are those that Dify's records show."""

from __future__ import annotations

from typing import ClassVar

from weft.errors import NodeFailedError


class HttpRequestNodeError(NodeFailedError):
    """There was no response, or the request could not be put together."""

    name: ClassVar[str] = "HttpRequestNodeError"

    def __init__(self, message: str) -> None:
        super().__init__(message, error_type=self.name, node_type="http-request")


class AuthorizationConfigError(HttpRequestNodeError):
    """An API key is asked for and none is given."""

    name = "AuthorizationConfigError"


class InvalidURLError(HttpRequestNodeError):
    """The address is empty or no HTTP address."""

    name = "InvalidURLError"


class InvalidHttpMethodError(HttpRequestNodeError):
    """The method is one that is not sent."""

    name = "InvalidHttpMethodError"


class RequestBodyError(HttpRequestNodeError):
    """The body cannot be made of what is given."""

    name = "RequestBodyError"


class FileFetchError(HttpRequestNodeError):
    """A file that the body needs cannot be had."""

    name = "FileFetchError"


class ResponseSizeError(HttpRequestNodeError):
    """The response is larger than the settings allow."""

    name = "ResponseSizeError"


class ResponseFileError(HttpRequestNodeError):
    """The response is a file, and it cannot be kept."""

    name = "ResponseFileError"


class HTTPResponseCodeError(HttpRequestNodeError):
    """The response has another status than 2xx, and the node is set up to mind."""

    name = "HTTPResponseCodeError"
