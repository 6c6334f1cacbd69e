"""How connections are opened, and what one that cannot be opened says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from maskline.errors import ArgumentError, DatabaseError, DatabaseUnavailableError
from maskline.postgres.connection import Connection, connect, map_postgres_errors
from maskline.postgres.dsn import PostgresDsn
from tests.maskline.postgres.records import connected, run, value_of


def parameters_of(connection: Connection) -> dict[str, str]:
    """Return libpq's parameters of a connection."""
    return {option.keyword.decode(): option.val.decode() for option in connection.pgconn.info if option.val is not None}


def test_a_connection_notices_a_dead_server(dsn: str) -> None:
    connection = connect(dsn)
    parameters = parameters_of(connection)
    connection.close()

    assert parameters["fallback_application_name"] == "maskline"
    assert parameters["connect_timeout"] == "10"
    assert parameters["keepalives_idle"] == "30"
    assert parameters["keepalives_interval"] == "10"
    assert parameters["keepalives_count"] == "3"
    assert parameters["tcp_user_timeout"] == "30000"


def test_defaults_do_not_override_what_the_environment_says(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "4")
    monkeypatch.setenv("PGAPPNAME", "of the environment")

    connection = connect(dsn)
    parameters = parameters_of(connection)
    connection.close()

    assert (parameters["connect_timeout"], parameters["application_name"]) == ("4", "of the environment")


@pytest.mark.parametrize("style", ["German, DMY", "SQL, MDY", "Postgres, DMY"])
def test_times_are_read_whatever_style_the_database_prefers(dsn: str, database: Connection, style: str) -> None:
    run(database, f"ALTER DATABASE {value_of(database, 'SELECT current_database()')} SET DateStyle = '{style}'")

    connection = connect(dsn)
    moment = value_of(connection, "SELECT timestamptz '2026-02-01 12:00:00+00'")
    status = connection.info.transaction_status
    connection.close()

    assert moment == datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert status == TransactionStatus.INTRANS


def test_defaults_do_not_override_what_a_service_file_says(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, name = conninfo_to_dict(dsn)["host"], conninfo_to_dict(dsn)["dbname"]
    services = tmp_path / "services.conf"
    services.write_text(f"[logins]\nhost={host}\ndbname={name}\nuser=postgres\nconnect_timeout=6\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))

    connection = connect("service=logins")
    parameters = parameters_of(connection)
    connection.close()

    assert parameters["connect_timeout"] == "6"
    assert "tcp_user_timeout" not in parameters


@pytest.mark.parametrize("setting", ["sslmode=sometimes", "port=none", "connect_timeout=soon"])
def test_a_setting_that_is_no_setting_is_not_retried(setting: str) -> None:
    with pytest.raises(DatabaseError, match=r"invalid|bad value"):
        connect(f"host=127.0.0.1 {setting}")


def test_defaults_do_not_override_what_the_name_says(dsn: str) -> None:
    connection = connect(f"{dsn}&application_name=mine&connect_timeout=3&keepalives_idle=7")
    parameters = parameters_of(connection)
    connection.close()

    assert parameters["application_name"] == "mine"
    assert parameters["connect_timeout"] == "3"
    assert parameters["keepalives_idle"] == "7"
    assert parameters["keepalives_count"] == "3"


def test_text_is_unicode_whatever_the_environment_says(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")

    connection = connect(dsn)
    answer = value_of(connection, "SELECT %s", ["Zürich 😀"])
    connection.close()

    assert answer == "Zürich 😀"


def test_text_is_unicode_whatever_the_encoding_of_the_database(dsn: str) -> None:
    name = dsn.partition("@/")[2].partition("?")[0]
    with connected(dsn) as admin:
        run(admin, f"CREATE DATABASE {name}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
        try:
            connection = connect(dsn.replace(name, f"{name}_ascii"))
            answer = value_of(connection, "SELECT %s", ["Zürich 😀"])
            connection.close()
        finally:
            run(admin, f"DROP DATABASE {name}_ascii WITH (FORCE)")

    assert answer == "Zürich 😀"


def test_a_password_from_the_environment_logs_in(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")

    connection = connect(PostgresDsn.parse(dsn))
    answer = value_of(connection, "SELECT 1")
    connection.close()

    assert answer == 1


def test_what_is_no_data_source_name_is_not_repeated() -> None:
    with pytest.raises(ArgumentError, match=r"^dsn: not a data source name; give one like [^ ]+$"):
        connect("password=hunter2 host")


def test_an_unknown_database_stops_the_job(dsn: str) -> None:
    elsewhere = dsn.replace("/test_", "/nosuch_")

    with pytest.raises(DatabaseError, match=r'database "nosuch_[0-9a-f]+" does not exist'):
        connect(elsewhere)


def test_an_unknown_role_stops_the_job(dsn: str) -> None:
    with pytest.raises(DatabaseError, match='role "nobody_knows" does not exist'):
        connect(dsn.replace("postgres@", "nobody_knows@"))


def test_a_role_that_may_not_log_in_stops_the_job(dsn: str) -> None:
    with pytest.raises(DatabaseError, match='role "maskline_writer" is not permitted to log in'):
        connect(dsn.replace("postgres@", "maskline_writer@"))


def test_a_missing_service_stops_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "services").write_text("[other]\nhost=db.example.com\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))

    with pytest.raises(DatabaseError, match='definition of service "logins" not found'):
        connect("service=logins")


@pytest.mark.parametrize("host", ["/nonexistent", "127.0.0.1"])
def test_nobody_listening_may_pass(host: str) -> None:
    with pytest.raises(DatabaseUnavailableError) as unavailable:
        connect(f"host={host} port=1 user=postgres dbname=logins")

    assert str(unavailable.value).startswith("postgres: connection to server ")
    assert "\n" not in str(unavailable.value)


def test_a_full_server_may_have_room_later(dsn: str) -> None:
    name = dsn.partition("@/")[2].partition("?")[0]
    with connected(dsn.replace(name, "postgres")) as admin, connected(dsn):
        run(admin, f"ALTER DATABASE {name} CONNECTION LIMIT 1")
        run(admin, "CREATE ROLE one_of_many LOGIN")

        try:
            with pytest.raises(DatabaseUnavailableError, match="too many connections"):
                connect(dsn.replace("postgres@", "one_of_many@"))
        finally:
            run(admin, "DROP ROLE one_of_many")


def test_a_command_gets_our_errors(dsn: str) -> None:
    with connected(dsn) as connection:
        with pytest.raises(DatabaseError, match='relation "nosuch" does not exist'), map_postgres_errors():
            run(connection, "SELECT * FROM nosuch")
        with pytest.raises(DatabaseError) as refused, map_postgres_errors():
            run(connection, "SELECT 'secret'::integer")

    assert str(refused.value) == "postgres: 22P02 invalid_text_representation"


def test_a_command_is_told_that_the_database_is_away(dsn: str) -> None:
    with connected(dsn) as connection:
        connection.close()

        with pytest.raises(DatabaseUnavailableError), map_postgres_errors():
            run(connection, "SELECT 1")


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(KeyError), map_postgres_errors():
        raise KeyError("not of Postgres")
