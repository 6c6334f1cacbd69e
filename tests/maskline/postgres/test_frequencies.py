"""Frequencies of tokens are counted by the database, and are those of the column."""

from __future__ import annotations

import pytest

from maskline.errors import DatabaseError
from maskline.masks.leakage import EquivalenceClass
from maskline.postgres.connection import Connection
from maskline.postgres.frequencies import TokenFrequencies, token_frequencies
from tests.maskline.postgres.records import connected, run


def test_tokens_are_counted_by_how_often_they_occur_and_how_long_they_are(database: Connection) -> None:
    run(
        database,
        "INSERT INTO user_logins (masked_ip, key_id) VALUES"
        " ('aa', 1), ('aa', 1), ('aa', 2), ('bb', 1), ('cc', 1), ('ddd', 1), (NULL, 3), (NULL, NULL)",
    )

    frequencies = token_frequencies(database, "user_logins", "masked_ip", top=2)

    assert frequencies == TokenFrequencies(
        classes=[EquivalenceClass(3, 2, 1), EquivalenceClass(1, 2, 2), EquivalenceClass(1, 3, 1)],
        most_frequent=[("aa", 3), ("bb", 1)],
        null_rows=2,
        keys=2,
    )


def test_an_empty_table_has_no_frequencies(database: Connection) -> None:
    assert token_frequencies(database, "user_logins", "masked_ip", top=2) == TokenFrequencies([], [], 0, 0)


def test_an_analyst_may_measure_and_a_writer_may_not(dsn: str) -> None:
    with connected(dsn, role="maskline_analyst") as analyst:
        token_frequencies(analyst, "user_logins", "masked_ip", top=1)
    with connected(dsn, role="maskline_writer") as writer, pytest.raises(DatabaseError, match="permission denied"):
        token_frequencies(writer, "user_logins", "masked_ip", top=1)
