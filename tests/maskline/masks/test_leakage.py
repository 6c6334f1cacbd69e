"""What tokens give away, measured: the numbers of cases that can be worked out by hand, and an attack that agrees."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.masks.leakage import EquivalenceClass, Leakage, measure_leakage, rows_by_anonymity


def test_a_column_of_unlike_frequencies() -> None:
    # aaaa bb cc d e f
    leakage = measure_leakage([EquivalenceClass(4, 10, 1), EquivalenceClass(2, 10, 2), EquivalenceClass(1, 10, 3)])

    assert leakage == Leakage(
        rows=11,
        tokens=6,
        singletons=3,
        largest=4,
        entropy_bits=2.3685225277282065,
        max_entropy_bits=math.log2(11),
        identified_tokens=1,
        identified_rows=4,
        guessed_tokens=3,
        guessed_rows=7,
    )


def test_where_all_tokens_stand_alone_nothing_tells_them_apart_but_their_length() -> None:
    leakage = measure_leakage([EquivalenceClass(1, 10, 7), EquivalenceClass(1, 11, 1)])

    assert leakage.singletons == leakage.rows == 8
    assert leakage.entropy_bits == leakage.max_entropy_bits == 3.0
    assert leakage.identified_tokens == 1


def test_one_value_in_all_rows_hides_nothing() -> None:
    leakage = measure_leakage([EquivalenceClass(8, 10, 1)])

    assert leakage.entropy_bits == 0.0
    assert leakage.identified_rows == leakage.guessed_rows == leakage.rows == 8


def test_an_empty_column_gives_nothing_away() -> None:
    assert measure_leakage([]) == Leakage(0, 0, 0, 0, 0.0, 0.0, 0, 0, 0, 0)


def test_rows_are_counted_by_how_many_tokens_theirs_hides_among() -> None:
    # aaaa | bb cc | d e | ff, told apart from bb and cc by something beside
    classes = [
        EquivalenceClass(4, 10, 1),
        EquivalenceClass(2, 10, 2),
        EquivalenceClass(1, 10, 2),
        EquivalenceClass(2, 10, 1),
    ]

    assert rows_by_anonymity(classes) == {1: 6, 2: 6}


def test_an_attacker_who_knows_all_frequencies_names_as_many_tokens_as_it_says() -> None:
    chance = random.Random(1)
    occurrences = {value: chance.choice([1, 1, 1, 2, 3, 9]) for value in range(40)}
    classes = [EquivalenceClass(count, 10, tokens) for count, tokens in Counter(occurrences.values()).items()]

    attacks = [sum(value == guess for value, guess in _attack(occurrences, chance)) for _ in range(4000)]

    assert sum(attacks) / len(attacks) == pytest.approx(measure_leakage(classes).guessed_tokens, rel=0.05)


def _attack(occurrences: dict[int, int], chance: random.Random) -> list[tuple[int, int]]:
    """Match tokens to values of the same frequency, at random among equals; a token is here its value's number."""
    matched: list[tuple[int, int]] = []
    for count in set(occurrences.values()):
        values = [value for value, its_count in occurrences.items() if its_count == count]
        matched.extend(zip(values, chance.sample(values, len(values)), strict=True))
    return matched


@given(st.lists(st.builds(EquivalenceClass, st.integers(1, 50), st.integers(28, 40), st.integers(1, 50)), min_size=1))
def test_the_measures_keep_within_their_bounds(classes: list[EquivalenceClass]) -> None:
    leakage = measure_leakage(classes)

    assert -1e-9 <= leakage.entropy_bits <= leakage.max_entropy_bits + 1e-9
    assert 0 <= leakage.identified_tokens <= leakage.guessed_tokens <= leakage.tokens <= leakage.rows
    assert leakage.identified_rows <= leakage.guessed_rows <= leakage.rows
    assert leakage.singletons <= leakage.tokens
