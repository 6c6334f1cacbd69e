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
        classes_beside=[],
        most_frequent=[("aa", 3), ("bb", 1)],
        null_rows=2,
        keys=2,
    )


def test_columns_beside_tell_tokens_apart_that_occur_equally_often(database: Connection) -> None:
    run(
        database,
        "INSERT INTO user_logins (masked_ip, device_type, locale, key_id) VALUES"
        " ('aa', 'iOS', 'DE', 1), ('aa', 'iOS', 'FR', 1),"
        " ('bb', 'iOS', 'FR', 1), ('bb', 'iOS', 'DE', 1),"  # as aa, in another order
        " ('cc', 'iOS', 'DE', 1), ('cc', 'iOS', 'DE', 1),"  # as aa, but for the locale
        " ('dd', 'android', NULL, 1), ('dd', 'iOS', 'DE', 1),"  # by itself already by the device type
        " ('ee', 'iOS', NULL, 1), ('ff', 'iOS', '', 1)",  # NULL is not the empty text
    )

    frequencies = token_frequencies(database, "user_logins", "masked_ip", 1, ["device_type", "locale"])

    assert frequencies.classes == [EquivalenceClass(2, 2, 4), EquivalenceClass(1, 2, 2)]
    assert frequencies.classes_beside == [
        # dd; aa, bb and cc; ee and ff
        [EquivalenceClass(2, 2, 1), EquivalenceClass(2, 2, 3), EquivalenceClass(1, 2, 2)],
        # cc; dd; aa and bb; ee; ff
        [
            EquivalenceClass(2, 2, 1),
            EquivalenceClass(2, 2, 1),
            EquivalenceClass(2, 2, 2),
            EquivalenceClass(1, 2, 1),
            EquivalenceClass(1, 2, 1),
        ],
    ]


def test_how_often_a_token_stands_beside_a_value_counts_and_not_only_whether(database: Connection) -> None:
    run(
        database,
        "INSERT INTO user_logins (masked_ip, device_type, key_id) VALUES"
        " ('aa', 'iOS', 1), ('aa', 'iOS', 1), ('aa', 'android', 1),"
        " ('bb', 'iOS', 1), ('bb', 'android', 1), ('bb', 'android', 1)",
    )

    frequencies = token_frequencies(database, "user_logins", "masked_ip", 1, ["device_type"])

    assert frequencies.classes == [EquivalenceClass(3, 2, 2)]
    assert frequencies.classes_beside == [[EquivalenceClass(3, 2, 1), EquivalenceClass(3, 2, 1)]]


@pytest.mark.parametrize("name", ["sent_at", "create_date", "message_id"])
def test_a_column_beside_may_have_any_type(database: Connection, name: str) -> None:
    run(
        database,
        "INSERT INTO user_logins (masked_ip, message_id, sent_at, create_date) VALUES"
        " ('aa', gen_random_uuid(), '2026-01-31T12:00:00Z', '2026-01-31'),"
        " ('bb', gen_random_uuid(), '2026-01-31T12:00:01Z', '2026-02-01')",
    )

    frequencies = token_frequencies(database, "user_logins", "masked_ip", 1, [name])

    assert frequencies.classes_beside == [[EquivalenceClass(1, 2, 1), EquivalenceClass(1, 2, 1)]]


def test_a_column_that_the_table_lacks_is_an_error_that_names_it(database: Connection) -> None:
    with pytest.raises(DatabaseError, match="countri"):
        token_frequencies(database, "user_logins", "masked_ip", 1, ["countri"])


def test_an_empty_table_has_no_frequencies(database: Connection) -> None:
    assert token_frequencies(database, "user_logins", "masked_ip", top=2) == TokenFrequencies([], [], [], 0, 0)


def test_an_analyst_may_measure_and_a_writer_may_not(dsn: str) -> None:
    with connected(dsn, role="maskline_analyst") as analyst:
        token_frequencies(analyst, "user_logins", "masked_ip", top=1)
    with connected(dsn, role="maskline_writer") as writer, pytest.raises(DatabaseError, match="permission denied"):
        token_frequencies(writer, "user_logins", "masked_ip", top=1)
