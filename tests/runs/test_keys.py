from __future__ import annotations

import re

from weft.runs import app_key, hash_key, operator_token
from weft.runs.keys import admin_password


def test_an_app_s_key_follows_from_the_secret_and_the_app() -> None:
    key = app_key("secret", "app 1")
    assert re.fullmatch(r"app-[A-Za-z0-9]{24}", key)
    assert app_key("secret", "app 1") == key
    assert len({key, app_key("secret", "app 2"), app_key("other", "app 1")}) == 3


def test_what_follows_from_one_secret_for_several_purposes_has_nothing_in_common() -> None:
    texts = [app_key("s", "operator-token")[4:], operator_token("s")[5:], admin_password("s")]
    assert re.fullmatch(r"weft-[A-Za-z0-9]{40}", operator_token("s"))
    assert re.fullmatch(r"[A-Za-z0-9]{20}", admin_password("s"))
    assert len({text[:8] for text in texts}) == 3


def test_keys_use_the_whole_alphabet() -> None:
    letters = set("".join(app_key("secret", str(index))[4:] for index in range(200)))
    assert len(letters) == 62


def test_a_key_is_kept_as_its_sha_256() -> None:
    assert hash_key("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
