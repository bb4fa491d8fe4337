from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest

from tests.client.fake import EMAIL, KEY, PASSWORD, MakeClient, refused
from weft import errors
from weft.client import Client, ConsoleClient, Network
from weft.client._network import hide_cookies_in_logs


def test_a_proxy_that_cannot_be_used_is_refused_without_its_password() -> None:
    network = Network(proxy="gopher://ada:hunter2@proxy.test")
    with pytest.raises(errors.ConfigError, match="the proxy cannot be used") as caught:
        Client("http://dify.test", KEY, network=network)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "hunter2" not in repr(network)


def test_requests_go_through_the_proxy() -> None:
    with (
        Client("http://dify.test", KEY, network=Network(proxy="http://127.0.0.1:9")) as client,
        pytest.raises(errors.TransportError, match="GET /info: no answer"),
    ):
        client.info()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.ConfigError, match="cannot be read"):
        Client("https://dify.test", KEY, network=Network(ca_file=path))


def test_a_context_of_ones_own_is_used() -> None:
    context = ssl.create_default_context()
    assert Network(ssl_context=context).verify() is context
    assert Network().verify() is True


def test_the_values_of_cookies_stay_out_of_the_librarys_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hide_cookies_in_logs()
    hide_cookies_in_logs()
    logger = logging.getLogger("httpcore2.http11")
    assert len([known for known in logger.filters if type(known).__name__ == "_HidesCookies"]) == 1
    logger.debug(
        "receive_response_headers.complete return_value=[(b'Set-Cookie', b'access_token=eyJx; Path=/')]"
    )
    logger.debug("receive_response_headers.complete return_value=[(b'set-cookie', b'a=b'), (b'X-A', b'c=d')]")
    assert [record.getMessage().partition("=")[2] for record in caplog.records] == [
        "[(b'Set-Cookie', b'access_token=***; Path=/')]",
        "[(b'set-cookie', b'a=***'), (b'X-A', b'c=d')]",
    ]


@pytest.mark.anyio
async def test_a_wait_that_is_given_as_a_date_goes_by_the_servers_clock(make: MakeClient) -> None:
    headers = {"Date": "Wed, 01 Jan 2020 00:00:00 GMT", "Retry-After": "Wed, 01 Jan 2020 00:00:07 GMT"}
    client, _ = make(refused(429, "too_many_requests", headers=headers))
    with pytest.raises(errors.TooManyRequestsError) as caught:
        await client.info()
    assert caught.value.retry_after == 7.0


def test_both_clients_take_any_form_of_the_address() -> None:
    for address in ("https://dify.test", "https://dify.test/v1/", "https://dify.test/console/api"):
        assert Client(address, KEY).base_url == "https://dify.test/v1"
        assert ConsoleClient(address, EMAIL, PASSWORD).base_url == "https://dify.test/console/api"
