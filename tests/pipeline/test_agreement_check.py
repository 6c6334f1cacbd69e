"""``check`` finds where keyset, definition and database do not agree, and says what to do; and there is a way out."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import msgspec
import pytest

from maskline.errors import DatabaseError
from maskline.keys import Keyset, KeysetUri, create_keyset
from maskline.keys.files import FileKeyset
from maskline.pipeline.cli import main
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.preflight import preflight
from maskline.postgres.connection import Connection, connect
from maskline.postgres.ddl import create_table
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.schema import Schema
from maskline.sqs import QueueAddress
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from tests.maskline.logins import login
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, run
from tests.runbook import heading_for

LOGINS = """
name = "user_logins"
table = "user_logins"
[columns.user_id]
type = "varchar(128)"
clear = true
[columns.device_type]
type = "varchar(32)"
clear = true
[columns.{ip}]
field = "ip"
type = "varchar(256)"
{masked}
[columns.masked_device_id]
field = "device_id"
type = "varchar(256)"
pii = true
[columns.locale]
type = "varchar(32)"
nullable = true
clear = true
[columns.app_version]
type = "varchar(32)"
clear = true
"""


DOMAINS = """
[domains."user_logins.masked_ip"]
normalize = "ip"
"""


def logins(ip: str = "masked_ip", masked: str = "pii = true", domains: str = "") -> StreamDefinition:
    """Return the definition of logins, with another column for the address."""
    return parse_stream(LOGINS.format(ip=ip, masked=masked) + domains, origin="test")


@pytest.fixture
def job(queue_address: QueueAddress, dsn: str, keyset_uri: str) -> JobSettings:
    """A job on a database with two rows of its own."""
    return JobSettings(logins(), queue_address, PostgresDsn.parse(dsn), KeysetUri.parse(keyset_uri))


@pytest.fixture
def rows(dsn: str, keyset: Keyset) -> None:
    """Rows that an earlier job wrote."""
    write_masked(dsn, keyset, [login(), login()], logins())


def found(job: JobSettings) -> list[tuple[str, str]]:
    """Return the problems of a job."""
    return [(finding.part, finding.text) for finding in preflight(job) if finding.is_problem]


def warned(job: JobSettings) -> list[tuple[str, str]]:
    """Return the warnings of a job about its keyset and its columns."""
    return [(each.part, each.text) for each in preflight(job) if each.is_warning and each.part != "queue"]


@pytest.mark.usefixtures("rows")
def test_a_keyset_that_none_of_the_rows_were_made_with_is_a_problem(
    job: JobSettings, keyset: Keyset, tmp_path: Path
) -> None:
    other = FileKeyset(tmp_path / "other.json")
    other.create(create_keyset())

    problems = found(msgspec.structs.replace(job, keyset=KeysetUri.parse(other.uri)))

    assert problems == [
        (
            "keyset",
            f"it has none of the keys that this database's rows were masked under (key {keyset.primary_key_id}), so "
            "they neither join with new rows nor can be unmasked; give the keyset that has them, or another database",
        )
    ]
    assert heading_for(2, problems[0][1]) == "Exit code 2"


@pytest.mark.usefixtures("rows")
def test_a_keyset_from_before_the_rotation_is_a_problem(job: JobSettings, dsn: str, keyset: Keyset) -> None:
    uri = str(job.keyset)
    file = Path(uri.removeprefix("file:"))
    before_add = file.read_bytes()
    assert main(["keys", "add", f"--keyset={uri}"]) == 0
    before_promote = file.read_bytes()
    new = json.loads(before_promote)["key"][-1]["keyId"]
    assert main(["keys", "promote", f"--keyset={uri}", str(new)]) == 0
    rotated = file.read_bytes()
    assert found(job) == []
    write_masked(dsn, job.keyset.open(), [login()])
    assert found(job) == []

    older = []
    for content in (before_add, before_promote):
        file.write_bytes(content)
        older.append(found(job))

    assert (
        older
        == [
            [
                (
                    "keyset",
                    f"its primary key {keyset.primary_key_id} is older than key {new}, under which rows were masked "
                    "since: "
                    "it is a version from before the rotation; give the newer one, or, to leave that key, add a new "
                    "one and "
                    "promote it",
                )
            ]
        ]
        * 2
    )
    file.write_bytes(rotated)
    assert found(job) == []


@pytest.mark.usefixtures("rows")
def test_a_keyset_whose_primary_the_database_refuses_is_a_problem(
    job: JobSettings, database: Connection, keyset: Keyset
) -> None:
    run(database, "UPDATE maskline_keys SET state = 'disabled'")

    assert found(job) == [
        (
            "keyset",
            f"its primary key {keyset.primary_key_id} is disabled in this database, which takes no rows under it; give "
            f"the newer version of the keyset, or run keys enable {keyset.primary_key_id} --postgres DSN",
        )
    ]


@pytest.mark.usefixtures("rows")
def test_a_keyset_that_lacks_an_older_key_is_warned_of(job: JobSettings, database: Connection) -> None:
    run(database, "INSERT INTO maskline_keys VALUES (7, 'enabled', now() - interval '1 year', now())")

    assert found(job) == []
    assert warned(job) == [
        (
            "keyset",
            "it lacks key 7, under which rows of this database were masked; where there still are some, it cannot "
            "unmask them",
        )
    ]


RENAMED = (
    "column user_logins.masked_ip, which holds tokens of the domain user_logins.masked_ip, is gone from the table; "
    "if it "
    'was renamed, write mask = "deterministic" and domain = "user_logins.masked_ip" at {}, and its tokens stay '
    "readable; "
    "if it was dropped on purpose, run streams adopt"
)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(("masked", "name"), [("pii = true", "ip_token"), ("clear = true", "its new name")])
def test_a_renamed_column_is_a_problem_masked_in_its_new_domain_or_not_masked_any_more(
    job: JobSettings, database: Connection, dsn: str, keyset: Keyset, masked: str, name: str
) -> None:
    run(database, "ALTER TABLE user_logins RENAME COLUMN masked_ip TO ip_token")
    renamed = logins("ip_token", masked)

    assert found(msgspec.structs.replace(job, stream=renamed)) == [("postgres", RENAMED.format(name))]
    with pytest.raises(DatabaseError) as refused:
        write_masked(dsn, keyset, [login()], renamed)
    assert str(refused.value) == f"postgres: {RENAMED.format(name)}"
    assert rows_of(database, "SELECT count(*) FROM user_logins") == [(2,)]


@pytest.mark.usefixtures("rows")
def test_a_renamed_column_goes_on_in_its_domain(
    job: JobSettings, database: Connection, dsn: str, keyset: Keyset, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(database, "ALTER TABLE user_logins RENAME COLUMN masked_ip TO ip_token")
    kept = 'pii = true\ndomain = "user_logins.masked_ip"'
    going_on = logins("ip_token", kept)

    assert found(msgspec.structs.replace(job, stream=going_on)) == []
    write_masked(dsn, keyset, [login()], going_on)

    assert found(msgspec.structs.replace(job, stream=going_on)) == []
    assert rows_of(database, "SELECT column_name FROM maskline_columns ORDER BY 1") == [
        ("ip_token",),
        ("masked_device_id",),
    ]
    assert rows_of(database, "SELECT count(DISTINCT ip_token) FROM user_logins") == [(1,)]


@pytest.mark.usefixtures("rows")
def test_what_is_dropped_on_purpose_is_adopted(
    job: JobSettings, database: Connection, dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, "ALTER TABLE user_logins DROP COLUMN masked_ip, ADD COLUMN ip_token varchar(256)")
    definition = tmp_path / "logins.toml"
    definition.write_text(LOGINS.format(ip="ip_token", masked="pii = true"))

    assert main(["streams", "adopt", f"--stream={definition}", f"--postgres={dsn}"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        'No longer: masked_ip, masked by "deterministic" in the domain user_logins.masked_ip.',
        'From now on: ip_token, masked by "deterministic" in the domain user_logins.ip_token.',
    ]
    assert found(msgspec.structs.replace(job, stream=logins("ip_token"))) == []


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("masked", "problem"),
    [
        (
            'pii = true\ndomain = "another"',
            "column user_logins.masked_ip has tokens of the domain user_logins.masked_ip, and the definition makes "
            "those "
            'of another, which do not join and are not unmasked together; write domain = "user_logins.masked_ip" there',
        ),
        (
            'mask = "random"',
            'column user_logins.masked_ip was masked by "deterministic", and the definition says "random"; write '
            "what it "
            "was, or give the new tokens a column of their own",
        ),
    ],
)
def test_a_column_that_is_masked_otherwise_is_a_problem(job: JobSettings, masked: str, problem: str) -> None:
    assert found(msgspec.structs.replace(job, stream=logins(masked=masked))) == [("postgres", problem)]


def test_a_column_that_was_masked_and_no_longer_is_is_a_problem(
    job: JobSettings, database: Connection, dsn: str, keyset: Keyset
) -> None:
    run(database, "ALTER TABLE user_logins RENAME COLUMN masked_ip TO ip")
    write_masked(dsn, keyset, [login()], logins("ip"))

    assert found(msgspec.structs.replace(job, stream=logins("ip", "clear = true"))) == [
        (
            "postgres",
            "column user_logins.ip holds tokens, and the definition would store values in clear beside them; write "
            "mask "
            '= "deterministic" there again, or give the values in clear a column of their own',
        )
    ]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("masked", "problem"),
    [
        (
            "pii = true",
            "column user_logins.masked_ip has tokens made by the stream user_logins of the domain "
            "user_logins.masked_ip, and the definition makes those of sessions.masked_ip, which do not join "
            "and are not unmasked together; "
            'write domain = "user_logins.masked_ip" there',
        ),
        (
            'mask = "random"\ndomain = "user_logins.masked_ip"',
            'column user_logins.masked_ip was masked by the stream user_logins by "deterministic", and the definition '
            'says "random"; write what it was, or give the new tokens a column of their own',
        ),
    ],
)
def test_a_stream_that_was_renamed_makes_other_tokens_and_is_a_problem(
    job: JobSettings, dsn: str, masked: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = 'pii = true\ndomain = "user_logins.masked_device_id"'
    text = LOGINS.format(ip="masked_ip", masked=masked)
    text = text.replace('name = "user_logins"', 'name = "sessions"')
    text = text.replace(
        'field = "device_id"\ntype = "varchar(256)"\npii = true',
        f'field = "device_id"\ntype = "varchar(256)"\n{device}',
    )
    renamed = msgspec.structs.replace(job, stream=parse_stream(text, origin="test"))

    assert found(renamed) == [("postgres", problem)]

    definition = tmp_path / "sessions.toml"
    definition.write_text(text)
    assert main(["streams", "adopt", f"--stream={definition}", f"--postgres={dsn}"]) == 0
    assert found(renamed) == []


def test_a_column_of_a_renamed_stream_that_is_no_longer_masked_is_a_problem(
    job: JobSettings, database: Connection, dsn: str, keyset: Keyset
) -> None:
    run(database, "ALTER TABLE user_logins RENAME COLUMN masked_ip TO ip")
    write_masked(dsn, keyset, [login()], logins("ip"))
    text = LOGINS.format(ip="ip", masked="clear = true").replace('name = "user_logins"', 'name = "sessions"')
    text = text.replace("pii = true", 'pii = true\ndomain = "user_logins.masked_device_id"')

    assert found(msgspec.structs.replace(job, stream=parse_stream(text, origin="test"))) == [
        (
            "postgres",
            "column user_logins.ip holds tokens made by the stream user_logins, and the definition would store values "
            'in clear beside them; write mask = "deterministic" there, or give the values in clear a column of their '
            "own",
        )
    ]


def test_another_padding_is_a_problem_for_its_tokens_are_read_otherwise(
    job: JobSettings, dsn: str, keyset: Keyset
) -> None:
    write_masked(dsn, keyset, [login()], logins(masked="pii = true\npad = 16"))

    assert found(msgspec.structs.replace(job, stream=logins(masked="pii = true\npad = 16"))) == []
    assert found(msgspec.structs.replace(job, stream=logins())) == [
        (
            "postgres",
            'column user_logins.masked_ip was masked by "deterministic, pad = 16", and the definition says '
            '"deterministic"; write what it was, or give the new tokens a column of their own',
        )
    ]


@pytest.mark.parametrize("clear", ['["currency", "buyer.email"]', "[]"])
def test_another_part_of_a_document_in_clear_is_a_problem(
    job: JobSettings, database: Connection, dsn: str, keyset: Keyset, clear: str
) -> None:
    text = (
        'name = "events"\ntable = "events"\n[columns.event]\nfield = "."\ntype = "jsonb"\nmask = "leaves"\nclear = {}\n'
    )
    stream = parse_stream(text.format('["currency"]'), origin="test")
    run(database, create_table(stream))
    write_masked(dsn, keyset, ['{"currency": "EUR", "buyer": {"email": "ann@example.com"}}'], stream)

    assert found(msgspec.structs.replace(job, stream=stream)) == []
    problems = found(msgspec.structs.replace(job, stream=parse_stream(text.format(clear), origin="test")))

    assert len(problems) == 1
    assert problems[0][1].startswith(
        'column events.event was masked by "leaves, clear = ["currency"]", and the definition says "leaves'
    )


@pytest.mark.usefixtures("rows")
def test_another_key_by_the_id_of_one_is_a_problem(job: JobSettings, database: Connection, keyset: Keyset) -> None:
    assert found(job) == []
    assert rows_of(database, "SELECT proof FROM maskline_keys") == [(None,)]
    assert not any(finding.is_problem for finding in preflight(job, is_starting=True))
    file = Path(str(job.keyset).removeprefix("file:"))
    stored = json.loads(file.read_bytes())
    stored["key"][0]["keyData"] = json.loads(create_keyset())["key"][0]["keyData"]
    file.write_text(json.dumps(stored))

    problems = [finding.text for finding in preflight(job, is_starting=True) if finding.is_problem]

    assert problems == [
        f"its key {keyset.primary_key_id} is another than the key by that id which this database knows, so what it "
        "masks would not join with the rows that are there, nor unmask them; give the keyset that has that key"
    ]
    assert heading_for(2, problems[0]) == "Exit code 2"


@pytest.mark.usefixtures("rows")
def test_a_job_on_a_schema_without_proofs_starts(job: JobSettings, dsn: str) -> None:
    Schema(functools.partial(connect, dsn)).migrate("0016")

    assert not any(finding.is_problem for finding in preflight(job, is_starting=True))


def test_another_keyset_of_hashes_is_a_problem(
    job: JobSettings, database: Connection, dsn: str, tmp_path: Path
) -> None:
    definition = tmp_path / "visits.toml"
    definition.write_text('name = "visits"\ntable = "visits"\n[columns.visitor]\ntype = "char(22)"\nmask = "hash"\n')
    assert main(["migrate", f"--postgres={dsn}", f"--stream={definition}"]) == 0
    uris = [f"file:{tmp_path / name}" for name in ("first.json", "second.json")]
    for uri in uris:
        assert main(["keys", "create", "--kind=hash", f"--keyset={uri}"]) == 0
    first, second = (
        msgspec.structs.replace(job, stream=load_stream(str(definition)), hash_keyset=KeysetUri.parse(uri))
        for uri in uris
    )

    assert not any(finding.is_problem for finding in preflight(first, is_starting=True))

    assert found(first) == []
    assert found(second) == [
        (
            "hash_keyset",
            "column visits.visitor was hashed with another keyset of hashes, so that equal values would not have equal "
            "hashes; give that one",
        )
    ]


@pytest.mark.usefixtures("rows")
def test_another_normal_form_is_warned_of(job: JobSettings) -> None:
    stream = logins(masked='pii = true\ndomain = "user_logins.masked_ip"', domains=DOMAINS)

    assert found(msgspec.structs.replace(job, stream=stream)) == []
    assert warned(msgspec.structs.replace(job, stream=stream)) == [
        (
            "postgres",
            'column user_logins.masked_ip was masked with normalize = nothing, and the definition says "ip": the '
            "tokens "
            "of equal values before and after may differ",
        )
    ]


def test_migrate_enters_the_columns_of_the_streams_that_it_is_given(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    definition = tmp_path / "orders.toml"
    definition.write_text('name = "orders"\ntable = "orders"\n[columns.email]\ntype = "varchar(400)"\npii = true\n')

    assert main(["migrate", f"--postgres={dsn}", f"--stream={definition}"]) == 0

    assert rows_of(database, "SELECT stream, table_name, column_name, domain, mask FROM maskline_columns") == [
        ("orders", "public.orders", "email", "orders.email", "deterministic")
    ]
