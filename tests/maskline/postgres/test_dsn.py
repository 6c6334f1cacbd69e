"""Which data source names are taken."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from maskline.errors import ArgumentError
from maskline.postgres.dsn import PostgresAuth, PostgresDsn


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://writer:hunter2@db.example.com/logins",
        "postgres://writer:hunter2@db.example.com/logins",
        "postgresql://writer:hunter%32@db.example.com/logins",
        "postgresql://writer@db.example.com/logins?password=hunter2",
        "postgresql://writer@db.example.com/logins?sslmode=verify-full&sslpassword=hunter2",
        "host=db.example.com user=writer password=hunter2 dbname=logins",
        "host=db.example.com password = 'hunter2'",
        "host=db.example.com sslpassword=hunter2",
        "password=hunter2",
        "dbname=postgresql://writer:hunter2@db.example.com/logins",
    ],
)
def test_a_password_is_refused_in_every_form_and_never_repeated(dsn: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        PostgresDsn.parse(dsn)

    assert "hunter" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_refused_password_is_told_where_it_may_stand() -> None:
    with pytest.raises(ArgumentError) as refused:
        PostgresDsn.parse("postgresql://writer:hunter2@db.example.com/logins")

    assert str(refused.value) == (
        "dsn: holds a password, which the job graph would show; leave it out and give it by PGPASSWORD, "
        "PGPASSFILE or a service file"
    )


@pytest.mark.parametrize("dsn", ["writer:hunter2@db.example.com/logins", "hunter2", "postgresql://[hunter2/logins"])
def test_what_is_no_data_source_name_is_refused_and_not_repeated(dsn: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        PostgresDsn.parse(dsn)

    assert str(refused.value) == ("dsn: not a data source name; give one like postgresql://user@host/database")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://writer@db.example.com:5432/logins?sslmode=verify-full",
        "host=db.example.com user=writer dbname=logins",
        "service=logins",
        "postgresql://writer:@db.example.com/logins",
        "",
    ],
)
def test_a_name_without_a_password_is_kept_as_it_is(dsn: str) -> None:
    assert str(PostgresDsn.parse(dsn)) == dsn


@pytest.mark.parametrize("dsn", [None, 7, {"host": "db"}])
def test_what_is_no_text_is_refused(dsn: Any) -> None:
    with pytest.raises(ArgumentError, match="dsn: not a data source name"):
        PostgresDsn.parse(dsn)


def test_it_is_parsed_once_and_travels_in_a_job_graph() -> None:
    dsn = PostgresDsn.parse("host=db.example.com user=writer dbname=logins")

    assert PostgresDsn.parse(dsn) is dsn
    assert pickle.loads(pickle.dumps(dsn)) == dsn
    assert dsn.parameters == {"host": "db.example.com", "user": "writer", "dbname": "logins"}


RDS = "postgresql://writer@logins.c9akciq32rgw.eu-central-1.rds.amazonaws.com/logins"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
@pytest.mark.parametrize("auth", PostgresAuth)
def test_a_mode_that_takes_connections_in_clear_does_not_go_with_tls_required(mode: str, auth: PostgresAuth) -> None:
    with pytest.raises(ArgumentError, match=f"dsn: sslmode={mode} takes connections without TLS, too"):
        PostgresDsn.parse(f"{RDS}?sslmode={mode}", auth, require_tls=auth is PostgresAuth.PASSWORD)


def test_tls_of_a_service_file_has_to_be_said_where_it_can_be_seen() -> None:
    with pytest.raises(ArgumentError, match="dsn: the sslmode of a service file cannot be seen"):
        PostgresDsn.parse("service=logins", require_tls=True)

    assert PostgresDsn.parse("service=logins sslmode=verify-full", require_tls=True).requires_tls


def test_a_token_of_aws_is_sent_over_tls_alone_and_travels_in_a_job_graph() -> None:
    dsn = PostgresDsn.parse(RDS, PostgresAuth.RDS_IAM)

    assert (dsn.auth, dsn.requires_tls) == (PostgresAuth.RDS_IAM, True)
    assert pickle.loads(pickle.dumps(dsn)) == dsn


@pytest.mark.parametrize(
    ("dsn", "problem"),
    [
        ("postgresql://writer@db.example.com/logins", "takes the host of an RDS instance"),
        ("postgresql://writer@10.0.0.7/logins", "takes the host of an RDS instance"),
        ("postgresql://writer@/logins", "takes the host of an RDS instance"),
        ("service=logins sslmode=require", "takes the host of an RDS instance"),
        (f"{RDS}.example.com/logins".replace("/logins.", "."), "takes the host of an RDS instance"),
        (RDS.replace("writer@", ""), "takes the user in the data source name"),
        (f"{RDS}?port=5432,5433", "takes one port"),
    ],
)
def test_a_token_of_aws_takes_one_host_of_rds_and_one_user(dsn: str, problem: str) -> None:
    with pytest.raises(ArgumentError, match=f"dsn: rds-iam {problem}"):
        PostgresDsn.parse(dsn, PostgresAuth.RDS_IAM)
