from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.files import file_key

ID = "0197e2d4-5b6c-7def-8123-456789abcdef"


def test_a_key_is_made_of_the_id_alone() -> None:
    assert file_key(ID) == f"ef/{ID}"


@pytest.mark.parametrize(
    "id", ["", "abc", "../../etc/passwd", ID.upper(), f"{ID}/..", f"{ID}\n", f"{{{ID}}}"]
)
def test_what_is_no_id_has_no_key(id: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a file"):
        file_key(id)


@given(st.text())
def test_no_text_leads_out_of_its_folder(text: str) -> None:
    try:
        key = file_key(text)
    except ValueError:
        return
    assert key == f"{text[-2:]}/{text}"
