"""What the tokens of a column give away to somebody who has the table and not the key.

Deterministic encryption hides values and not how often each occurs, nor how long it is. So tokens fall into
*equivalence classes*: those of one class occur equally often and are equally long, and nothing tells them apart. An
attacker who knows from elsewhere exactly how often each value occurs can name the token of a class of one, and can do
no better than guess within a larger class. That is the strongest attack on the column alone, for tokens of one class
are, without the key, as good as random.

What stands in clear beside the column narrows the classes: tokens stay in one class only where they stand in as many
rows with each combination of the columns beside. The size *k* of the class that a row's token is in is its k-anonymity
toward an attacker who knows all of that of every value; a row of k = 1 is *identified*.

Sources: Naveed, Kamara, Wright, "Inference Attacks on Property-Preserving Encrypted Databases", CCS 2015; Sweeney,
"k-Anonymity: A Model for Protecting Privacy", 2002.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import msgspec


class EquivalenceClass(msgspec.Struct, frozen=True):
    """Tokens that nothing tells apart.

    Attributes:
        occurrences: How many rows each of them stands in.
        characters: How long each of them is.
        tokens: How many there are.
    """

    occurrences: int
    characters: int
    tokens: int


class Leakage(msgspec.Struct, frozen=True):
    """What a column's tokens give away.

    Attributes:
        rows: How many rows hold a token.
        tokens: How many different tokens there are.
        singletons: How many tokens stand in one row only.
        largest: How many rows the most frequent token stands in.
        entropy_bits: Shannon's entropy of the token of a random row.
        max_entropy_bits: The most it could be with as many rows.
        identified_tokens: How many tokens an attacker who knows all frequencies and lengths names for certain.
        identified_rows: How many rows these stand in.
        guessed_tokens: How many tokens the same attacker names right on average, guessing within each class.
        guessed_rows: How many rows these stand in, on average.
    """

    rows: int
    tokens: int
    singletons: int
    largest: int
    entropy_bits: float
    max_entropy_bits: float
    identified_tokens: int
    identified_rows: int
    guessed_tokens: int
    guessed_rows: int


def measure_leakage(classes: Sequence[EquivalenceClass]) -> Leakage:
    """Measure what a column's tokens give away.

    Args:
        classes: All its tokens, each class once.
    """
    rows = sum(equivalence_class.occurrences * equivalence_class.tokens for equivalence_class in classes)
    unique = [equivalence_class for equivalence_class in classes if equivalence_class.tokens == 1]
    return Leakage(
        rows=rows,
        tokens=sum(equivalence_class.tokens for equivalence_class in classes),
        singletons=sum(equivalence_class.tokens for equivalence_class in classes if equivalence_class.occurrences == 1),
        largest=max((equivalence_class.occurrences for equivalence_class in classes), default=0),
        entropy_bits=sum(
            equivalence_class.tokens * _surprise(equivalence_class.occurrences / rows) for equivalence_class in classes
        ),
        max_entropy_bits=math.log2(rows) if rows else 0.0,
        identified_tokens=len(unique),
        identified_rows=sum(equivalence_class.occurrences for equivalence_class in unique),
        # A random matching of n tokens to their n values has one right on average, whatever n is.
        guessed_tokens=len(classes),
        guessed_rows=sum(equivalence_class.occurrences for equivalence_class in classes),
    )


def rows_by_anonymity(classes: Sequence[EquivalenceClass]) -> dict[int, int]:
    """Return how many rows hold a token of a class of k tokens, by k, from the smallest on.

    Args:
        classes: All tokens of a column, each class once.
    """
    rows: Counter[int] = Counter()
    for equivalence_class in classes:
        rows[equivalence_class.tokens] += equivalence_class.occurrences * equivalence_class.tokens
    return dict(sorted(rows.items()))


def _surprise(share: float) -> float:
    return -share * math.log2(share)
