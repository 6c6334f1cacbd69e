"""Reading the tokens of a column: all of one snapshot, read-only, never all in memory."""

from __future__ import annotations

import pytest

from maskline.errors import DatabaseError, MasklineError
from maskline.postgres import recovery
from maskline.postgres.connection import Connection
from maskline.postgres.recovery import TokenReader
from maskline.stream import StreamDefinition
from tests.maskline.postgres.records import connected, message_id, run, value_of


@pytest.fixture
def three_rows(database: Connection) -> None:
    """Two rows of the job's, one of them without an address, and one that is older than message ids."""
    run(
        database,
        "INSERT INTO user_logins (user_id, masked_ip, locale, message_id)"
        " VALUES ('a', 'token-a', 'RU', %s), ('b', NULL, 'DE', %s), ('c', 'token-c', '100%%', NULL)",
        [message_id(1), message_id(2)],
    )


@pytest.mark.usefixtures("three_rows")
def test_every_token_comes_with_what_names_its_row(dsn: str, user_logins: StreamDefinition) -> None:
    with connected(dsn, autocommit=False) as connection:
        reader = TokenReader(connection, user_logins, "masked_ip", None)

        assert reader.count() == 2
        assert sorted(reader.read()) == [
            ("6f9619ff-8b86-4011-b42d-000000000001", "token-a"),
            ("ctid (0,3)", "token-c"),
        ]


@pytest.mark.parametrize(
    ("where", "tokens"),
    [
        ("locale = 'RU'", ["token-a"]),
        ("locale LIKE '%U' -- the Russian ones", ["token-a"]),
        ("user_id = 'a' OR user_id = 'c'", ["token-a", "token-c"]),
        ("locale = '100%'", ["token-c"]),
        ("locale = '{}' OR locale = '%s'", []),
        ("user_id = 'b'", []),
        ("message_id = '6f9619ff-8b86-4011-b42d-000000000001'", ["token-a"]),
    ],
)
@pytest.mark.usefixtures("three_rows")
def test_a_condition_chooses_the_rows(dsn: str, user_logins: StreamDefinition, where: str, tokens: list[str]) -> None:
    with connected(dsn, autocommit=False) as connection:
        reader = TokenReader(connection, user_logins, "masked_ip", where)

        assert reader.count() == len(tokens)
        assert sorted(token for _, token in reader.read()) == tokens


@pytest.mark.usefixtures("three_rows")
def test_what_is_counted_is_what_is_read_whatever_is_written_between(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    with connected(dsn, autocommit=False) as connection:
        reader = TokenReader(connection, user_logins, "masked_ip", None)
        counted = reader.count()
        run(database, "INSERT INTO user_logins (masked_ip) VALUES ('late')")

        assert counted == 2
        assert sorted(token for _, token in reader.read()) == ["token-a", "token-c"]


def test_more_rows_than_one_fetch_brings_are_all_read(
    dsn: str, database: Connection, user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "ROWS_A_FETCH", 7)
    run(database, "INSERT INTO user_logins (masked_ip) SELECT n::text FROM generate_series(1, 30) AS n")

    with connected(dsn, autocommit=False) as connection:
        tokens = [token for _, token in TokenReader(connection, user_logins, "masked_ip", None).read()]

    assert sorted(map(int, tokens)) == list(range(1, 31))


@pytest.mark.parametrize(
    "where",
    [
        "(SELECT set_config('transaction_read_only', 'off', true)) IS NULL",
        "(SELECT nextval('commits')) > 0",
        "(SELECT forget()) > 0",
    ],
)
@pytest.mark.usefixtures("three_rows")
def test_a_condition_cannot_write(dsn: str, database: Connection, user_logins: StreamDefinition, where: str) -> None:
    run(
        database,
        "CREATE SEQUENCE commits; CREATE FUNCTION forget() RETURNS integer LANGUAGE sql AS"
        " 'DELETE FROM user_logins; SELECT 1'",
    )

    with connected(dsn, autocommit=False) as connection, pytest.raises(MasklineError):
        TokenReader(connection, user_logins, "masked_ip", where).count()

    assert value_of(database, "SELECT count(*) FROM user_logins") == 3


@pytest.mark.parametrize("where", ["no SQL at all", "nosuch = 1", "user_id = 'a')", "(", "user_id"])
@pytest.mark.usefixtures("three_rows")
def test_a_condition_that_is_no_sql_is_told_so(dsn: str, user_logins: StreamDefinition, where: str) -> None:
    with connected(dsn, autocommit=False) as connection, pytest.raises(DatabaseError):
        TokenReader(connection, user_logins, "masked_ip", where).count()


@pytest.mark.usefixtures("three_rows")
def test_the_rights_of_maskline_analyst_are_enough_and_those_of_others_are_not(
    dsn: str, user_logins: StreamDefinition
) -> None:
    with connected(dsn, role="maskline_analyst") as analyst:
        assert TokenReader(analyst, user_logins, "masked_ip", None).count() == 2
    for role in ("maskline_writer", "maskline_auditor"):
        with connected(dsn, role=role) as other, pytest.raises(DatabaseError, match="permission denied"):
            TokenReader(other, user_logins, "masked_ip", None).count()
