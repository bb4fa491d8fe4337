from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.graph import EdgeSpec
from weft.graph.cycle import find_cycles


def cycles(text: str) -> list[list[str]]:
    edges = [EdgeSpec(pair[0], pair[1]) for pair in text.split()]
    return [[edges[index].source + edges[index].target for index in group] for group in find_cycles(edges)]


@pytest.mark.parametrize(
    ("edges", "groups"),
    [
        ("", []),
        ("ab bc ac cd", []),
        ("aa", [["aa"]]),
        ("ab ba", [["ab", "ba"]]),
        ("ab bc cb cd", [["bc", "cb"]]),
        ("ab bc cd db da", [["ab", "bc", "cd", "db", "da"]]),
        ("ab ba bc cd dc", [["ab", "ba"], ["cd", "dc"]]),
        ("ab bc ca xa cy yz", [["ab", "bc", "ca"]]),
    ],
)
def test_exactly_the_edges_that_go_round_are_found(edges: str, groups: list[list[str]]) -> None:
    assert cycles(edges) == groups


def test_a_ring_of_many_thousand_nodes_needs_no_recursion() -> None:
    count = 20_000
    edges = [EdgeSpec(str(index), str((index + 1) % count)) for index in range(count)]
    assert find_cycles(edges) == [list(range(count))]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=14))
def test_an_edge_is_found_exactly_if_a_way_leads_back_from_its_end(pairs: list[tuple[str, str]]) -> None:
    def leads(start: str, goal: str) -> bool:
        seen = {start}
        for _ in range(len("abcdef")):
            seen |= {target for source, target in pairs if source in seen}
        return goal in seen

    found = {index for group in find_cycles([EdgeSpec(*pair) for pair in pairs]) for index in group}
    assert found == {index for index, (source, target) in enumerate(pairs) if leads(target, source)}
