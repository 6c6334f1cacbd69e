"""What the tokens of a column give away to somebody who has the table and not the key.

Deterministic encryption hides values and not how often each occurs, nor how long it is. So tokens fall into *crowds*:
those of one crowd occur equally often and are equally long, and nothing tells them apart. An attacker who knows from
elsewhere exactly how often each value occurs can name the token of a crowd of one, and can do no better than guess
within a larger crowd. That is the strongest attack on the column alone, for tokens of one crowd are, without the key,
as good as random. What is known beside the column (a time, another column) narrows a crowd further.

Source: Naveed, Kamara, Wright, "Inference Attacks on Property-Preserving Encrypted Databases", CCS 2015.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Crowd(msgspec.Struct, frozen=True):
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
        alone: How many tokens stand in one row only.
        largest: How many rows the most frequent token stands in.
        entropy_bits: Shannon's entropy of the token of a random row.
        most_entropy_bits: The most it could be with as many rows.
        named_tokens: How many tokens an attacker who knows all frequencies and lengths names for certain.
        named_rows: How many rows these stand in.
        guessed_tokens: How many tokens the same attacker names right on average, guessing within each crowd.
        guessed_rows: How many rows these stand in, on average.
    """

    rows: int
    tokens: int
    alone: int
    largest: int
    entropy_bits: float
    most_entropy_bits: float
    named_tokens: int
    named_rows: int
    guessed_tokens: int
    guessed_rows: int


def measure_leakage(crowds: Sequence[Crowd]) -> Leakage:
    """Measure what a column's tokens give away.

    Args:
        crowds: All its tokens, each crowd once.
    """
    rows = sum(crowd.occurrences * crowd.tokens for crowd in crowds)
    unique = [crowd for crowd in crowds if crowd.tokens == 1]
    return Leakage(
        rows=rows,
        tokens=sum(crowd.tokens for crowd in crowds),
        alone=sum(crowd.tokens for crowd in crowds if crowd.occurrences == 1),
        largest=max((crowd.occurrences for crowd in crowds), default=0),
        entropy_bits=sum(crowd.tokens * _surprise(crowd.occurrences / rows) for crowd in crowds),
        most_entropy_bits=math.log2(rows) if rows else 0.0,
        named_tokens=len(unique),
        named_rows=sum(crowd.occurrences for crowd in unique),
        # A random matching of n tokens to their n values has one right on average, whatever n is.
        guessed_tokens=len(crowds),
        guessed_rows=sum(crowd.occurrences for crowd in crowds),
    )


def _surprise(share: float) -> float:
    return -share * math.log2(share)
