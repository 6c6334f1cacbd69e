"""A stream's table comes to have what the stream needs, and keeps all that it has."""

from __future__ import annotations

import threading
import uuid

import msgspec
import pytest
from psycopg import errors

from maskline.errors import DatabaseError, DatabaseUnavailableError
from maskline.postgres.connection import Connection
from maskline.postgres.ddl import create_table
from maskline.postgres.table_changes import apply_changes, changes_as_sql, table_changes
from maskline.postgres.table_check import check_tables
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from tests.maskline.postgres.records import connected, rows_of, run, value_of

FIRST = """
name = "orders"
table = "orders"
[columns.order_id]
type = "bigint"
[columns.masked_email]
field = "email"
type = "varchar(100)"
pii = true
[columns.total]
type = "numeric(10, 2)"
[columns.count]
type = "integer"
[columns.user_id]
type = "text"
clear = true
"""
SECOND = (
    FIRST.replace("varchar(100)", "varchar(400)")
    .replace("numeric(10, 2)", "numeric")
    .replace('type = "integer"', 'type = "bigint"\nrequired = false')
    + """
[columns.masked_phone]
field = "phone"
type = "text"
pii = true
"""
)


def definition(text: str, table: str = "orders") -> StreamDefinition:
    return msgspec.structs.replace(parse_stream(text, "test"), table=table)


def changed(connection: Connection, stream: StreamDefinition) -> list[str]:
    """Change the table, and return what was done."""
    changes = table_changes(connection, stream)
    apply_changes(connection, changes)
    return [change.done for change in changes]


def columns_of(connection: Connection, table: str = "orders") -> dict[str, tuple[str, bool]]:
    query = (
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    return {name: (type_, not_null) for name, type_, not_null in rows_of(connection, query, [table])}


TOKEN = f"AQAAAAc{'A' * 40}"
"""What looks like a token of key 7."""


def insert_order(connection: Connection, count: int = 1) -> None:
    run(
        connection,
        "INSERT INTO orders (order_id, masked_email, total, count, user_id, create_date, message_id, sent_at, key_id)"
        f" SELECT n, '{TOKEN}', 1.25, 2, repeat('u', 200), '2026-01-31', gen_random_uuid(), now(), 7"
        " FROM generate_series(1, %s) AS n",
        [count],
    )


def test_a_table_is_made_once_with_the_permissions_of_every_role(dsn: str, database: Connection) -> None:
    stream = definition(FIRST)

    done = changed(database, stream)

    assert done == [
        "made table orders",
        "made an index of orders on written_in",
        "granted maskline_writer INSERT, SELECT (message_id) on orders",
        "granted maskline_analyst, maskline_publisher SELECT on orders",
        "granted maskline_remasker SELECT (tableoid, ctid, message_id, key_id, masked_email), UPDATE (key_id, "
        "masked_email) on orders",
        "granted maskline_eraser SELECT (user_id, key_id, written_in, xmin), DELETE on orders",
    ]
    assert changed(database, stream) == []
    with connected(dsn, role="maskline_writer") as writer:
        assert check_tables(writer, stream).problems == []
    with connected(dsn, role="maskline_eraser") as eraser:
        run(eraser, "DELETE FROM orders WHERE user_id = 'eve'")


def test_what_is_made_is_what_is_printed(database: Connection) -> None:
    stream = load_stream("tests/e2e/orders.toml")
    run(database, create_table(msgspec.structs.replace(stream, table="printed")))

    changed(database, stream)

    assert columns_of(database, "orders") == columns_of(database, "printed")
    assert table_changes(database, msgspec.structs.replace(stream, table="printed")) == []


def test_before_migrate_the_roles_are_made_too(unmigrated_dsn: str) -> None:
    stream = definition(FIRST)

    with connected(unmigrated_dsn) as owner:
        changed(owner, stream)

        assert table_changes(owner, stream) == []
    with connected(unmigrated_dsn, role="maskline_writer") as writer:
        assert rows_of(writer, "SELECT message_id FROM orders") == []


def test_a_schema_is_made_and_the_roles_may_use_it(dsn: str, database: Connection) -> None:
    stream = definition(FIRST, "shop.orders")

    done = changed(database, stream)

    assert done[0] == "made schema shop"
    assert done[-1] == (
        "granted maskline_writer, maskline_analyst, maskline_publisher, maskline_remasker, maskline_eraser USAGE of "
        "schema shop"
    )
    assert changed(database, stream) == []
    with connected(dsn, role="maskline_eraser") as eraser:
        run(eraser, "DELETE FROM shop.orders WHERE user_id = 'eve'")


def test_a_later_definition_adds_widens_and_makes_optional_and_rows_stay(dsn: str, database: Connection) -> None:
    changed(database, definition(FIRST))
    insert_order(database)

    done = changed(database, definition(SECOND))

    assert done == [
        "widened column orders.masked_email from varchar(100) to varchar(400)",
        "widened column orders.total from numeric(10,2) to numeric",
        "widened column orders.count from integer to bigint",
        "let column orders.count be NULL",
        "added column orders.masked_phone text",
        "added check masked_phone_is_masked to orders",
        "validated check masked_phone_is_masked of orders",
        "granted maskline_remasker SELECT (tableoid, ctid, message_id, key_id, masked_email, masked_phone), UPDATE "
        "(key_id, masked_email, masked_phone) on orders",
    ]
    assert changed(database, definition(SECOND)) == []
    columns = columns_of(database)
    assert columns["masked_phone"] == ("text", False)
    assert columns["count"] == ("bigint", False)
    assert rows_of(database, "SELECT order_id, masked_email, total, count, masked_phone FROM orders") == [
        (1, TOKEN, value_of(database, "SELECT 1.25::numeric"), 2, None)
    ]
    with connected(dsn, role="maskline_writer") as writer:
        # The job of the definition before goes on.
        assert check_tables(writer, definition(FIRST)).problems == []
        assert check_tables(writer, definition(SECOND)).problems == []


def checks_of(connection: Connection, table: str) -> set[tuple[str, str, bool]]:
    query = (
        "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
        " WHERE conrelid = to_regclass(%s) AND contype = 'c'"
    )
    return {(name, definition, is_valid) for name, definition, is_valid in rows_of(connection, query, [table])}


def test_a_new_masked_column_takes_no_value_in_clear_and_has_the_check_that_a_new_table_has(
    database: Connection,
) -> None:
    changed(database, definition(FIRST))
    insert_order(database)
    run(database, create_table(definition(SECOND, "printed")))

    changed(database, definition(SECOND))

    with pytest.raises(errors.CheckViolation) as refused:
        run(database, "UPDATE orders SET masked_phone = '+49 170 1234567'")
    assert refused.value.diag.constraint_name == "masked_phone_is_masked"
    run(database, "UPDATE orders SET masked_phone = %s", [TOKEN])
    assert checks_of(database, "orders") == checks_of(database, "printed")


def test_a_new_columns_check_is_validated_while_others_write(dsn: str, database: Connection) -> None:
    changed(database, definition(FIRST))
    *_, validating = [change for change in table_changes(database, definition(SECOND)) if change.is_alone]
    together = [change for change in table_changes(database, definition(SECOND)) if not change.is_alone]
    apply_changes(database, together)

    with connected(dsn, autocommit=False) as writer:
        insert_order(writer)
        apply_changes(database, [validating])

        assert ("masked_phone_is_masked", True) in {
            (name, is_valid) for name, _, is_valid in checks_of(database, "orders")
        }


def test_a_large_tables_column_is_widened_without_a_look_at_its_rows_whatever_checks_it_has(
    database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(database, definition(FIRST))
    insert_order(database)
    run(database, "ALTER TABLE orders ADD CONSTRAINT short CHECK (length(masked_email) < 90) NOT VALID")
    before = checks_of(database, "orders")
    monkeypatch.setattr("maskline.postgres.table_changes.MAX_REWRITTEN_BYTES", 0)
    changes = table_changes(database, definition(FIRST.replace("varchar(100)", "varchar(400)")))
    run(database, "SET client_min_messages = debug1")
    database.notices.clear()

    apply_changes(database, [change for change in changes if not change.is_alone])
    under_the_lock = [said for _, said in database.notices if "verifying table" in said or "rewriting" in said]
    apply_changes(database, [change for change in changes if change.is_alone])

    assert under_the_lock == []
    assert [change.done for change in changes] == [
        "widened column orders.masked_email from varchar(100) to varchar(400)",
        "validated check masked_email_is_masked of orders",
    ]
    assert checks_of(database, "orders") == before


def test_a_column_that_is_there_is_left_without_a_check_for_a_job_may_write_it_in_clear(database: Connection) -> None:
    clear = FIRST.replace('field = "email"', 'field = "email"\nclear = true').replace("masked_email", "email")
    run(database, create_table(definition(clear.replace("\npii = true", ""))))

    changed(database, definition(FIRST.replace("masked_email", "email")))

    assert checks_of(database, "orders") == set()


def test_the_printed_changes_do_the_same(database: Connection) -> None:
    changed(database, definition(FIRST))

    run(database, changes_as_sql(table_changes(database, definition(SECOND))))

    assert table_changes(database, definition(SECOND)) == []


def test_a_table_of_somebody_elses_gets_the_columns_of_the_job(database: Connection) -> None:
    run(
        database,
        "CREATE TABLE orders (order_id bigint PRIMARY KEY, masked_email varchar(100), total numeric, count bigint,"
        " user_id text)",
    )
    run(database, "INSERT INTO orders (order_id) VALUES (1)")

    changed(database, definition(FIRST))

    assert table_changes(database, definition(FIRST)) == []
    assert check_tables(database, definition(FIRST)).problems == []
    assert rows_of(database, "SELECT message_id, processed_at, written_in IS NULL FROM orders") == [(None, None, False)]
    run(database, "INSERT INTO orders (order_id) VALUES (2)")
    assert value_of(database, "SELECT processed_at IS NOT NULL FROM orders WHERE order_id = 2") is True


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "ALTER TABLE orders ALTER COLUMN total TYPE integer",
            "column total is integer, and numeric(10, 2) does not take all that may be in it; give the stream's column "
            "another name, or its former type",
        ),
        (
            "ALTER TABLE orders ADD COLUMN region text NOT NULL",
            "column region is NOT NULL without a default, and the stream does not fill it; give it a default, or run "
            'ALTER TABLE "orders" ALTER COLUMN "region" DROP NOT NULL',
        ),
        (
            "ALTER TABLE orders DROP COLUMN total, ADD COLUMN total numeric(10, 2) GENERATED ALWAYS AS (1) STORED",
            "column total is one that Postgres generates; take it out of the stream",
        ),
    ],
)
def test_what_cannot_be_altered_safely_is_named_and_nothing_is_done(
    database: Connection, statement: str, problem: str
) -> None:
    changed(database, definition(FIRST))
    run(database, statement)
    before = columns_of(database)

    with pytest.raises(DatabaseError) as refused:
        changed(database, definition(FIRST + '[columns.added]\ntype = "date"\n'))

    assert str(refused.value) == (f"postgres: table orders cannot be altered safely, and nothing was: {problem}")
    assert columns_of(database) == before


def test_a_part_of_the_primary_key_does_not_become_optional(database: Connection) -> None:
    changed(database, definition(FIRST))
    run(database, "ALTER TABLE orders ADD PRIMARY KEY (order_id)")
    optional = FIRST.replace('type = "bigint"', 'type = "bigint"\nrequired = false')

    with pytest.raises(DatabaseError, match="column order_id is part of the primary key, so it cannot be NULL"):
        table_changes(database, definition(optional))


def test_a_large_table_is_not_rewritten(database: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.postgres.table_changes.MAX_REWRITTEN_BYTES", 100_000)
    changed(database, definition(FIRST))
    insert_order(database, 1_000)

    with pytest.raises(DatabaseError, match=r"column count is integer, and to make it bigint rewrites 0 MiB while"):
        table_changes(database, definition(SECOND))


def test_a_view_is_not_a_table(database: Connection) -> None:
    run(database, "CREATE VIEW orders AS SELECT 1 AS order_id")

    with pytest.raises(DatabaseError, match="orders is not a table; name the table that its rows go to"):
        table_changes(database, definition(FIRST))


def test_a_view_on_a_column_that_is_to_be_widened_is_named(database: Connection) -> None:
    changed(database, definition(FIRST))
    run(database, "CREATE VIEW emails AS SELECT masked_email FROM orders")

    with pytest.raises(DatabaseError) as refused:
        changed(database, definition(SECOND))

    assert str(refused.value).endswith(
        "column masked_email is varchar(100) and has to be varchar(400), which Postgres does not do beneath a view; "
        "drop emails, and make it again afterwards"
    )


@pytest.fixture
def partitioned(database: Connection) -> None:
    """A partitioned table without the job's columns."""
    run(
        database,
        "CREATE TABLE orders (order_id bigint, masked_email varchar(100), total numeric, count bigint, user_id text)"
        " PARTITION BY LIST (user_id)",
    )
    run(database, "CREATE TABLE orders_rest PARTITION OF orders DEFAULT")


@pytest.mark.usefixtures("partitioned")
def test_a_partitioned_table_is_altered_as_a_whole(database: Connection) -> None:
    changed(database, definition(FIRST))

    assert table_changes(database, definition(FIRST)) == []
    assert columns_of(database, "orders_rest")["key_id"] == ("bigint", False)
    changed(database, definition(SECOND))
    assert ("masked_phone_is_masked", True) in {
        (name, is_valid) for name, _, is_valid in checks_of(database, "orders_rest")
    }


def test_user_logins_is_left_to_migrate(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as owner:
        before = columns_of(owner, "user_logins")

        assert table_changes(owner, load_stream("user_logins")) == []
        assert columns_of(owner, "user_logins") == before


def test_a_table_in_use_is_waited_for_in_short_tries_that_hold_nobody_up(dsn: str, database: Connection) -> None:
    changed(database, definition(FIRST))
    changes = table_changes(database, definition(SECOND))
    with connected(dsn, autocommit=False) as reader:
        rows_of(reader, "SELECT * FROM orders")
        tries = threading.Semaphore(0)

        def let_go(_: float) -> None:
            tries.release()
            reader.rollback()

        apply_changes(database, changes, sleep=let_go)

    assert tries.acquire(blocking=False)
    assert table_changes(database, definition(SECOND)) == []


def test_a_table_that_is_always_in_use_is_left_as_it_was(dsn: str, database: Connection) -> None:
    changed(database, definition(FIRST))
    changes = table_changes(database, definition(SECOND))
    with connected(dsn, autocommit=False) as reader:
        rows_of(reader, "SELECT * FROM orders")

        with pytest.raises(DatabaseUnavailableError, match=r"got no lock in 0 s \(55P03\)"):
            apply_changes(database, changes, deadline_seconds=0)

    assert "masked_phone" not in columns_of(database)


def test_somebody_without_permissions_is_told_so(dsn: str, database: Connection) -> None:
    role = f"nobody_{uuid.uuid4().hex[:8]}"
    run(database, f"CREATE ROLE {role}")

    with connected(dsn, role=role) as nobody, pytest.raises(DatabaseError, match="permission denied for schema public"):
        changed(nobody, definition(FIRST))

    run(database, f"DROP ROLE {role}")
