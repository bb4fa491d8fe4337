from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft import errors
from weft.client import AsyncClient
from weft.client._secret import MASK, Secret, hide

LETTERS = st.characters(codec="utf-8", exclude_characters="*")
SENTENCES = (
    "a server that gives no answer at all",
    "App model config broken, please check: 401 status, code bad_request",
    '{"code":"unauthorized","message":"Access token is invalid","status":401}',
)


@pytest.mark.parametrize("secret", ["a", "e", "1", "40", "co", "st"])
def test_one_or_two_letters_leave_messages_readable(secret: str) -> None:
    for sentence in SENTENCES:
        assert hide(sentence, [Secret(secret)]) == sentence


def test_a_number_or_a_name_of_an_answer_that_is_a_short_secret_too_stays() -> None:
    answer = '{"code":"bad","message":"the code is refused","status": 401,"x":401}'
    assert hide(answer, [Secret("401"), Secret("code")]) == answer.replace("the code", "the ***")


@pytest.mark.parametrize(
    "place",
    [
        "Authorization: Bearer {}",
        "authorization: basic {}, x",
        "https://ann:{}@there.example/v1",
        "https://{}@there.example/v1",
        "GET /info?user=b&api_key={}&x=1",
        "https%3A%2F%2Fthere%3Fkey%3D{}",
        "key={}; Path=/",
        '{{"password":"{}"}}',
        '{{"password": "{}", "x": 1}}',
        '{{"message":"it was \\"{}\\""}}',
        "the value '{}' is wrong",
        "wrong password {}",
        "wrong password: {}",
        "the token is {}.",
        "secret={}",
    ],
)
@pytest.mark.parametrize("secret", ["a", "7", "xy", "abc", "p4ss", "hunter2", "ä"])
def test_a_secret_of_any_length_is_hidden_where_secrets_stand(place: str, secret: str) -> None:
    assert hide(place.format(secret), [Secret(secret)]) in (
        place.format(MASK),
        place.replace("ann:", "").format(MASK),
    )


def test_a_secret_of_three_letters_is_hidden_as_a_word_and_not_within_one() -> None:
    assert hide("no cat is concatenated, cat", [Secret("cat")]) == "no *** is concatenated, ***"


def test_the_longest_of_several_secrets_is_hidden_as_a_whole() -> None:
    assert hide("it was hunter22!", [Secret("hunter2"), Secret("hunter22")]) == "it was ***!"
    assert hide("it was hunter22!", [Secret("")]) == "it was hunter22!"


@given(secret=st.text(LETTERS, min_size=6, max_size=40), before=st.text(LETTERS), after=st.text(LETTERS))
def test_no_spelling_of_a_secret_is_left(secret: str, before: str, after: str) -> None:
    for spelled in (
        secret,
        json.dumps(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret),
    ):
        assert spelled not in hide(f"{before}{spelled}{after}", [Secret(secret)])


@given(
    secret=st.text(st.sampled_from("abc123-_.!é"), min_size=1, max_size=5),
    place=st.sampled_from(
        ["Bearer {}", "http://u:{}@h/", "?k={}&", "?k={}", '"{}"', "'{}'", "password {}", "token: {}"]
    ),
    around=st.tuples(st.sampled_from(["", "no: ", "x, "]), st.sampled_from(["", " of that", ", y"])),
)
def test_a_short_secret_is_left_at_no_place_for_secrets(
    secret: str, place: str, around: tuple[str, str]
) -> None:
    told = place.format(secret)
    hidden = hide(f"{around[0]}{told}{around[1]}", [Secret(secret)])
    assert told not in hidden
    assert MASK in hidden


@given(text=st.text(st.sampled_from("abcdefgh ,."), max_size=60), secret=st.sampled_from("abcdefgh"))
def test_a_letter_of_prose_is_no_secret(text: str, secret: str) -> None:
    assert hide(text, [Secret(secret)]) == text


@pytest.mark.anyio
async def test_an_error_is_read_whole_although_the_key_is_one_letter() -> None:
    told = {"code": "not_found", "message": "Conversation Not Exists, says 'n'.", "status": 404}

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(404, json=told)

    async with AsyncClient("http://dify.test/v1", "n", transport=httpx2.MockTransport(answer)) as client:
        with pytest.raises(errors.NotFoundError, match=r"^Conversation Not Exists, says '\*\*\*'\.$"):
            await client.messages("c1", user="u2")
