"""Numbers and their text."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from weft.server.instrument import Counter, Histogram, gauge, histogram, render

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: bytes) -> Samples:
    """What Prometheus' own reader makes of a text."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_counter_counts_each_combination_of_labels() -> None:
    counter = Counter("x_total", "Xs.", ("a", "b"))
    counter.add(("1", "2"))
    counter.add(("1", "2"), 2.5)
    counter.add(("1", "3"))
    assert read(render([counter.lines()])) == {
        ("x_total", (("a", "1"), ("b", "2"))): 3.5,
        ("x_total", (("a", "1"), ("b", "3"))): 1,
    }


def test_only_so_many_combinations_are_told_apart() -> None:
    counter = Counter("x_total", "Xs.", ("app",), max_series=2)
    for app in ("a", "b", "c", "d", "a"):
        counter.add((app,))
    assert read(render([counter.lines()])) == {
        ("x_total", (("app", "a"),)): 2,
        ("x_total", (("app", "b"),)): 1,
        ("x_total", (("app", "other"),)): 2,
    }


def test_a_label_may_be_any_text() -> None:
    odd = 'a"b\\c\nd'
    counter = Counter("x_total", "Xs.", ("a",))
    counter.add((odd,))
    assert read(render([counter.lines()])) == {("x_total", (("a", odd),)): 1}


def test_a_histogram_counts_up_to_each_bound() -> None:
    sizes = Histogram("s", "Sizes.", (1.0, 2.0))
    for size in (0.5, 1.0, 1.5, 9.0):
        sizes.observe((), size)
    expected = {
        ("s_bucket", (("le", "1.0"),)): 2,
        ("s_bucket", (("le", "2.0"),)): 3,
        ("s_bucket", (("le", "+Inf"),)): 4,
        ("s_sum", ()): 12.0,
        ("s_count", ()): 4,
    }
    assert read(render([sizes.lines()])) == expected
    assert read(render([histogram("s", "Sizes.", (1.0, 2.0), [2, 1, 1], 12.0)])) == expected


def test_sizes_of_too_many_kinds_are_counted_together() -> None:
    sizes = Histogram("s", "Sizes.", (1.0,), ("a",), max_series=1)
    for kind in ("x", "y", "z"):
        sizes.observe((kind,), 1)
    counts = {key: value for key, value in read(render([sizes.lines()])).items() if key[0] == "s_count"}
    assert counts == {("s_count", (("a", "x"),)): 1, ("s_count", (("a", "other"),)): 2}


def test_a_gauge_is_what_it_is_now() -> None:
    assert read(render([gauge("g", "G.", 7), gauge("h", "H.", {("1",): 2}, ("a",))])) == {
        ("g", ()): 7,
        ("h", (("a", "1"),)): 2,
    }
