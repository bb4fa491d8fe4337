from __future__ import annotations

import pytest

from weft.client import AsyncClient, Client
from weft.client._call import base_address, path
from weft.client._secret import ApiKey
from weft.errors import ConfigError, InvalidRequestError


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://dify.test", "https://dify.test/v1"),
        ("https://dify.test/", "https://dify.test/v1"),
        ("https://dify.test/v1", "https://dify.test/v1"),
        (" https://dify.test/v1/ ", "https://dify.test/v1"),
        ("https://dify.test/console/api/", "https://dify.test/v1"),
        ("http://[::1]:8080/apps/dify/v1", "http://[::1]:8080/apps/dify/v1"),
        ("http://localhost:5001/apps/dify", "http://localhost:5001/apps/dify/v1"),
    ],
)
def test_every_form_of_the_base_address_is_taken(given: str, meant: str) -> None:
    assert base_address(given) == meant


@pytest.mark.parametrize(
    "given",
    [
        "",
        "dify.test",
        "ftp://dify.test",
        "https://",
        "https://u:p@dify.test",
        "https://x/?a=1",
        "https://x/#a",
    ],
)
def test_an_address_that_cannot_be_right_is_refused_without_its_credentials(given: str) -> None:
    with pytest.raises(ConfigError) as caught:
        base_address(given)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "app-1\nX: y", "app 1", "äpp-1", "app-\x00"])
def test_a_key_that_cannot_be_right_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiKey(key)
    assert key.strip() == "" or key not in str(caught.value)


@pytest.mark.parametrize("client", [AsyncClient, Client])
def test_a_client_never_shows_its_key(client: type[Client]) -> None:
    made = client("https://dify.test/v1/", "app-secret")
    assert repr(made) == f"{client.__name__}('https://dify.test/v1', api_key='***')"
    assert "app-secret" not in repr(vars(made)) + repr(vars(made._connection))


def test_path_segments_are_quoted_as_a_whole() -> None:
    assert path("messages", "a/b?c#d e%") == "/messages/a%2Fb%3Fc%23d%20e%25"


@pytest.mark.parametrize("segment", ["", " ", ".", ".."])
def test_a_segment_that_would_change_the_path_is_refused(segment: str) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be an id"):
        path("conversations", segment)
