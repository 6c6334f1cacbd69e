"""Reading the tokens of a column: read-only, and never all in memory."""

from __future__ import annotations

import contextlib

import pytest

from maskline.errors import ArgumentError, DatabaseError, MasklineError, UsageError
from maskline.postgres import token_reader
from maskline.postgres.connection import Connection, open_connection
from maskline.postgres.token_reader import read_tokens
from maskline.streams.definition import StreamDefinition
from tests.maskline.postgres.records import message_id, run, value_of


@pytest.fixture
def three_rows(database: Connection) -> None:
    """Two rows of the job's, one of them without an address, and one that is older than message ids."""
    run(
        database,
        "INSERT INTO user_logins (user_id, masked_ip, locale, message_id, key_id)"
        " VALUES ('a', 'token-a', 'RU', %s, 1), ('b', NULL, 'DE', %s, 1), ('c', 'token-c', '100%%', NULL, NULL)",
        [message_id(1), message_id(2)],
    )


def read(
    dsn: str, stream: StreamDefinition, where: str | None = None, role: str = "postgres"
) -> list[tuple[str, str, bool]]:
    with contextlib.closing(open_connection(dsn, options=f"-c role={role}")) as connection:
        return sorted(read_tokens(connection, stream, "masked_ip", where))


@pytest.mark.usefixtures("three_rows")
def test_every_token_comes_with_what_names_its_row(dsn: str, user_logins: StreamDefinition) -> None:
    assert read(dsn, user_logins) == [
        ("6f9619ff-8b86-4011-b42d-000000000001", "token-a", True),
        ("ctid (0,3)", "token-c", False),
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
    assert [token for _, token, _ in read(dsn, user_logins, where)] == tokens


def test_more_rows_than_one_fetch_brings_are_all_read(
    dsn: str, database: Connection, user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_reader, "ROWS_PER_FETCH", 7)
    run(database, "INSERT INTO user_logins (masked_ip) SELECT n::text FROM generate_series(1, 30) AS n")

    tokens = [token for _, token, _ in read(dsn, user_logins)]

    assert sorted(map(int, tokens)) == list(range(1, 31))


@pytest.mark.parametrize(
    "where",
    [
        "(SELECT set_config('transaction_read_only', 'off', true)) IS NULL",
        "(SELECT nextval('commits')) > 0",
        "(SELECT forget()) > 0",
        "TRUE); COMMIT; DELETE FROM user_logins; SELECT (1",
    ],
)
@pytest.mark.usefixtures("three_rows")
def test_a_condition_cannot_write(dsn: str, database: Connection, user_logins: StreamDefinition, where: str) -> None:
    run(
        database,
        "CREATE SEQUENCE commits; CREATE FUNCTION forget() RETURNS integer LANGUAGE sql AS"
        " 'DELETE FROM user_logins; SELECT 1'",
    )

    with pytest.raises(MasklineError):
        read(dsn, user_logins, where)

    assert value_of(database, "SELECT count(*) FROM user_logins") == 3


def test_a_condition_is_one_condition(dsn: str, user_logins: StreamDefinition) -> None:
    with pytest.raises(UsageError, match="without a semicolon"):
        read(dsn, user_logins, "TRUE; SELECT 1")


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("local = 'DE'", "where: 'local' is not a column of user_logins; did you mean locale?"),
        ("user_logins.local = 'DE'", "where: 'local' is not a column of user_logins; did you mean locale?"),
        ("not \"Locale\" = 'DE'", "where: 'Locale' is not a column of user_logins; did you mean locale?"),
        (
            "countri = 'DE'",
            "where: 'countri' is not a column of user_logins; those are: user_id, device_type, masked_ip,",
        ),
    ],
)
@pytest.mark.usefixtures("three_rows")
def test_a_column_that_is_not_there_is_named_with_the_nearest(
    dsn: str, user_logins: StreamDefinition, where: str, complaint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        read(dsn, user_logins, where)

    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize("where", ["no SQL at all", "user_id = 'a')", "(", "user_id"])
@pytest.mark.usefixtures("three_rows")
def test_a_condition_that_is_no_sql_is_told_so(dsn: str, user_logins: StreamDefinition, where: str) -> None:
    told = "^where: is not a condition in SQL: |must be type boolean"
    with pytest.raises((DatabaseError, ArgumentError), match=told):
        read(dsn, user_logins, where)


@pytest.mark.usefixtures("three_rows")
def test_the_permissions_of_maskline_analyst_are_enough_and_those_of_others_are_not(
    dsn: str, user_logins: StreamDefinition
) -> None:
    assert len(read(dsn, user_logins, role="maskline_analyst")) == 2
    for role in ("maskline_writer", "maskline_auditor"):
        with pytest.raises(DatabaseError, match="permission denied"):
            read(dsn, user_logins, role=role)
