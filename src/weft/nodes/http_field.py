"""Headers, parameters and keys of a request, from lines of ``name: value``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import urlencode

from weft.nodes.http_config import Authorization
from weft.nodes.http_error import AuthorizationConfigError
from weft.variables import Selector, Template, VariablePool, compile_template

Headers = dict[str, str]
"""Values by name; a name occurs once, in whatever case."""


class HeaderLines:
    """Headers: the text as a whole has variables, so one of these may bring several lines."""

    def __init__(self, text: str) -> None:
        self._template = compile_template(text)

    @property
    def selectors(self) -> Sequence[Selector]:
        """The variables in it."""
        return self._template.selectors

    def render(self, pool: VariablePool) -> Headers:
        """The headers; of several with one name the last counts."""
        headers: Headers = {}
        for line in self._template.render(pool).splitlines():
            name, _, value = line.partition(":")
            if name.strip():
                put(headers, name.strip(), value.strip())
        return headers


class ParameterLines:
    """Parameters: a line is split before variables are put in, so a value may have line breaks and colons."""

    def __init__(self, text: str) -> None:
        lines = (line.partition(":") for line in text.splitlines())
        self._pairs: list[tuple[Template, Template]] = [
            (compile_template(name.strip()), compile_template(value.strip()))
            for name, _, value in lines
            if name.strip()
        ]

    @property
    def selectors(self) -> Sequence[Selector]:
        """The variables in them."""
        return [selector for pair in self._pairs for template in pair for selector in template.selectors]

    def render(self, pool: VariablePool) -> list[tuple[str, str]]:
        """Names and values; a name may occur again."""
        return [(name.render(pool), value.render(pool)) for name, value in self._pairs]


class Key:
    """The key that a request is sent with."""

    def __init__(self, authorization: Authorization) -> None:
        self._is_used = authorization.type == "api-key"
        self._config = authorization.config
        self._template = compile_template(authorization.config.api_key if authorization.config else "")

    @property
    def selectors(self) -> Sequence[Selector]:
        """The variables in it."""
        return self._template.selectors if self._is_used else ()

    def render(self, pool: VariablePool) -> tuple[str, str] | None:
        """Name and value of the header, if there is a key to send.

        Raises:
            AuthorizationConfigError: There should be one, but it is not set up or empty.
        """
        if not self._is_used:
            return None
        config = self._config
        if config is None or config.type is None:
            raise AuthorizationConfigError(
                "the request shall be sent with an API key, but none is set up; fill in its type and the key"
            )
        key = self._template.render(pool)
        if not key.strip():
            raise AuthorizationConfigError(
                "the API key is empty; fill it in, or check the variable it comes from"
            )
        name = config.header.strip() or "Authorization"
        match config.type:
            case "bearer":
                return name, f"Bearer {key}"
            case "basic":
                # A pair of user and password; anything else is taken for the encoded form of one.
                return name, f"Basic {b64encode(key.encode()).decode() if ':' in key else key}"
            case "custom":
                return name, key


def put(headers: Headers, name: str, value: str) -> None:
    """Set a header, whatever case it was given in before."""
    for known in [known for known in headers if known.lower() == name.lower()]:
        del headers[known]
    headers[name] = value


def find(headers: Headers, name: str) -> str | None:
    """The value of a header; `name` is in lower case."""
    return next((value for known, value in headers.items() if known.lower() == name), None)


def add_parameters(url: str, pairs: Sequence[tuple[str, str]]) -> str:
    """The address with parameters after those that it has already."""
    if not pairs:
        return url
    address, mark, fragment = url.partition("#")
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(pairs, errors='replace')}{mark}{fragment}"
