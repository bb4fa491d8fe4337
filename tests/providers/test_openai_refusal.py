from __future__ import annotations

import pytest

from weft.errors import (
    BadReplyError,
    CredentialsError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedModelError,
)
from weft.providers.openai_refusal import CallErrors, Refusal, parse_refusal

_ERRORS = CallErrors("openai", "gpt-4o", "[providers.openai]", ("sk-secret-key",))


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (
            b'{"error":{"message":"no","type":"t","param":"p","code":"c"}}',
            Refusal(400, "no", "c", "t", "p"),
        ),
        (b'{"error":{"message":"no","code":400,"param":null}}', Refusal(400, "no", "400")),
        (b'{"error":"model not found"}', Refusal(400, "model not found")),
        (
            b'[{"error":{"code":400,"message":"bad","status":"INVALID"}}]',
            Refusal(400, "bad", "400", "INVALID"),
        ),
        (
            b'{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}',
            Refusal(400, "too long", "400", "BadRequestError"),
        ),
        (b'{"detail":"Not Found"}', Refusal(400, "Not Found")),
        (b'{"detail":[{"loc":["body"],"msg":"x"}]}', Refusal(400, '[{"loc":["body"],"msg":"x"}]')),
        (b'{"errors":[{"message":"first"}]}', Refusal(400, "first")),
        (b'{"error_code":17,"error_msg":"daily"}', Refusal(400, "daily", "17")),
        (b'{"strange":1}', Refusal(400, '{"strange":1}')),
        (
            b"<html><head><title>502 Bad &amp; Gateway</title></head>",
            Refusal(400, "an HTML page: 502 Bad & Gateway"),
        ),
        (b"<html></html>", Refusal(400, "an HTML page")),
        (b"upstream error\n", Refusal(400, "upstream error")),
        (b"", Refusal(400, "")),
        (b'"just text"', Refusal(400, "just text")),
        (b"\xff\xfe", Refusal(400, "\ufffd\ufffd")),
    ],
)
def test_words_are_found_in_every_shape(body: bytes, refusal: Refusal) -> None:
    assert parse_refusal(body, 400) == refusal


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error":{"code":429,"message":"m"}}', 429),
        (b'{"error":{"code":"502","message":"m"}}', 502),
        (b'{"error":{"code":"insufficient_quota","message":"m"}}', 402),
        (b'{"error":{"type":"rate_limit_error","message":"m"}}', 429),
        (b'{"error":{"status":"RESOURCE_EXHAUSTED","message":"m"}}', 429),
        (b'{"error":{"message":"m"}}', 500),
        (b'{"error":"m"}', 500),
    ],
)
def test_inside_a_stream_the_code_stands_for_the_status(body: bytes, status: int) -> None:
    assert parse_refusal(body).status == status


@pytest.mark.parametrize(
    ("refusal", "kind", "transient"),
    [
        (Refusal(401, "m"), CredentialsError, False),
        (Refusal(403, "m"), CredentialsError, False),
        (Refusal(402, "m"), QuotaExceededError, False),
        (Refusal(429, "m"), RateLimitedError, True),
        (Refusal(429, "m", "insufficient_quota"), QuotaExceededError, False),
        (Refusal(429, "m", type="insufficient_quota"), QuotaExceededError, False),
        (Refusal(400, "Your credit balance is too low"), QuotaExceededError, False),
        (Refusal(403, "账户余额不足"), QuotaExceededError, False),
        (Refusal(404, "m"), UnsupportedModelError, False),
        (Refusal(400, "m", "model_not_found"), UnsupportedModelError, False),
        (Refusal(400, "Model Not Exist"), UnsupportedModelError, False),
        (Refusal(400, "The model `x` does not exist"), UnsupportedModelError, False),
        (Refusal(400, "context too long"), ProviderError, False),
        (Refusal(413, "m"), ProviderError, False),
        (Refusal(408, "m"), ProviderTimeoutError, True),
        (Refusal(504, "m"), ProviderTimeoutError, True),
        (Refusal(500, "m"), BadReplyError, True),
        (Refusal(529, "overloaded"), BadReplyError, True),
    ],
)
def test_each_refusal_has_its_error(refusal: Refusal, kind: type[ProviderError], transient: bool) -> None:
    error = _ERRORS.refused(refusal)
    assert (type(error), error.provider, error.model, refusal.is_transient) == (
        kind,
        "openai",
        "gpt-4o",
        transient,
    )


def test_a_message_says_who_what_and_what_to_do() -> None:
    assert str(_ERRORS.refused(Refusal(401, "Incorrect API key provided"))) == (
        "provider 'openai' refused model 'gpt-4o' (401): Incorrect API key provided; "
        "check api_key in [providers.openai]"
    )
    assert str(_ERRORS.refused(Refusal(503, ""))) == (
        "provider 'openai' failed on model 'gpt-4o' (503): no reason given"
    )


def test_a_rate_limit_tells_how_long_to_wait() -> None:
    error = _ERRORS.refused(Refusal(429, "slow down"), 12.5)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 12.5


def test_the_key_is_cut_out_even_where_the_message_is_cut_short() -> None:
    refusal = Refusal(400, "x" * 495 + " sk-secret-key tail " + "y" * 100)
    text = str(_ERRORS.refused(refusal))
    assert "sk-" not in text
    assert "*** ..." in text
    assert len(text) < 600
