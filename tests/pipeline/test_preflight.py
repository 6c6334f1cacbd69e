"""The preflight finds everything that would stop the job, at once, and takes no message."""

from __future__ import annotations

import json
import uuid

import msgspec
import pytest

from maskline.errors import SetupError, UnavailableError
from maskline.keys import KeysetUri
from maskline.pipeline import preflight as preflight_module
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.pipeline.preflight import Finding, preflight, preflight_with_retries, raise_on_problems, tls_finding
from maskline.postgres.connection import Connection, TlsState
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.encryption import KeyAnswer
from maskline.streams.definition import StreamDefinition, parse_stream


@pytest.fixture
def job(user_logins: StreamDefinition, queue_address: QueueAddress, dsn: str, keyset_uri: str) -> JobSettings:
    return JobSettings(user_logins, queue_address, PostgresDsn.parse(dsn), KeysetUri.parse(keyset_uri))


def problems(job: JobSettings) -> list[tuple[str, str]]:
    return [(finding.part, finding.text) for finding in preflight(job) if finding.is_problem]


def test_a_job_whose_parts_are_ready_may_start(job: JobSettings, queue: SqsQueue) -> None:
    queue.send(["one"])

    findings = preflight(job)

    assert [finding.part for finding in findings] == ["keyset", "queue", "postgres", "postgres"]
    raise_on_problems(findings)
    (message,) = queue.receive(10, 0, 0)
    assert message.receive_count == 1


def test_all_problems_come_at_once(job: JobSettings, unmigrated_dsn: str) -> None:
    broken = msgspec.structs.replace(
        job,
        keyset=KeysetUri.parse("env:NOT_SET_ANYWHERE"),
        queue=QueueAddress(job.queue.queue + "-gone", job.queue.endpoint),
        postgres=PostgresDsn.parse(unmigrated_dsn),
    )

    with pytest.raises(SetupError) as refusal:
        raise_on_problems(preflight(broken))

    assert refusal.value.exit_code == 2
    first, *lines = str(refusal.value).splitlines()
    assert first == "the job cannot start, and took no message:"
    assert [line.split(":")[0].strip() for line in lines] == ["keyset", "queue", "postgres"]
    assert "NOT_SET_ANYWHERE is not set" in lines[0]
    assert "does not exist" in lines[1]
    assert "maskline migrate" in lines[2]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("ALTER TABLE user_logins DROP COLUMN locale", "table user_logins has no column locale varchar(32)"),
        (
            "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE varchar(100)",
            "column user_logins.masked_ip is varchar(100), the stream needs varchar(256)",
        ),
        ("DROP TABLE rejected_messages", "table rejected_messages not found"),
        ("DROP TABLE maskline_outcomes", "table maskline_outcomes not found"),
    ],
)
def test_a_table_that_does_not_fit_is_a_problem(
    job: JobSettings, database: Connection, change: str, problem: str
) -> None:
    with database.cursor() as cursor:
        cursor.execute(change)

    ((part, text),) = problems(job)

    assert part == "postgres"
    assert problem in text


def test_a_wider_column_is_no_problem(job: JobSettings, database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE text")

    assert problems(job) == []


def test_a_role_without_the_right_to_write_is_a_problem(job: JobSettings, database: Connection) -> None:
    role = f"reader_{uuid.uuid4().hex}"
    with database.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON maskline_schema_version TO {role}")

    found = problems(
        msgspec.structs.replace(job, postgres=PostgresDsn.parse(str(job.postgres).replace("postgres@", f"{role}@")))
    )

    assert any("grant it maskline_writer" in text for _, text in found)
    with database.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_queue_that_gives_up_early_is_a_warning(job: JobSettings, sqs: EmbeddedSqs) -> None:
    dead_letters = f"dead-{uuid.uuid4().hex}"
    sqs.create_queue(dead_letters)
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{dead_letters}", "maxReceiveCount": 1}
    url = sqs.create_queue(f"hasty-{uuid.uuid4().hex}", {"RedrivePolicy": json.dumps(policy)})

    findings = preflight(msgspec.structs.replace(job, queue=QueueAddress(url, sqs.endpoint)))

    (warning,) = [finding for finding in findings if finding.is_warning]
    assert "gives a message up after 1 receives" in warning.text


@pytest.mark.parametrize(
    ("answer", "mark", "text"),
    [
        (KeyAnswer.ALLOWED, "", "encrypted by the KMS key alias/logins, which these credentials may use"),
        (KeyAnswer.UNKNOWN, "", "receiving takes kms:Decrypt on it, which could not be tried here"),
        (KeyAnswer.DENIED, "warning", "which refuses them kms:Decrypt: no message can be received, unless their"),
        (KeyAnswer.UNUSABLE, "problem", "which is not there any more, or not enabled"),
    ],
)
def test_the_key_of_an_encrypted_queue_is_tried(
    job: JobSettings, sqs: EmbeddedSqs, monkeypatch: pytest.MonkeyPatch, answer: KeyAnswer, mark: str, text: str
) -> None:
    url = sqs.create_queue(f"encrypted-{uuid.uuid4().hex}", {"KmsMasterKeyId": "alias/logins"})
    monkeypatch.setattr(preflight_module, "ask_about_key", lambda *_: answer)

    findings = preflight(msgspec.structs.replace(job, queue=QueueAddress(url, sqs.endpoint)))

    (finding,) = [finding for finding in findings if "alias/logins" in finding.text]
    assert text in finding.text
    assert finding.is_warning == (mark == "warning")
    assert finding.is_problem == (mark == "problem")


@pytest.mark.parametrize(
    ("state", "is_warning", "text"),
    [
        (TlsState(None, None, "prefer", "/run/postgresql"), False, "connected by a Unix socket"),
        (TlsState(None, None, "prefer", "127.0.0.1"), False, "connected without TLS (sslmode=prefer)"),
        (
            TlsState(None, None, "prefer", "db.example.com"),
            True,
            "connected without TLS (sslmode=prefer): the network can read what is sent; give sslmode=verify-full, and "
            "--require_tls",
        ),
        (
            TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", "require", "db.example.com"),
            True,
            "connected over TLSv1.3 (TLS_AES_256_GCM_SHA384, sslmode=require), to a server that need not be the one "
            "that was named: give sslmode=verify-full, and sslrootcert",
        ),
        (
            TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", "verify-full", "db.example.com"),
            False,
            "connected over TLSv1.3 (TLS_AES_256_GCM_SHA384, sslmode=verify-full)",
        ),
    ],
)
def test_it_is_said_whether_others_can_read_what_is_sent(state: TlsState, is_warning: bool, text: str) -> None:
    finding = tls_finding(state)

    assert (finding.is_warning, finding.is_problem, finding.text) == (is_warning, False, text)


@pytest.fixture
def away(job: JobSettings, nobodys_port: int) -> JobSettings:
    """A job whose database nobody answers for."""
    postgres = PostgresDsn.parse(f"postgresql://postgres@127.0.0.1:{nobodys_port}/none")
    return msgspec.structs.replace(job, postgres=postgres)


def test_what_may_pass_by_itself_is_told_from_what_does_not(job: JobSettings, away: JobSettings) -> None:
    gone = QueueAddress(job.queue.queue + "-gone", job.queue.endpoint)

    with pytest.raises(UnavailableError, match=r"postgres: .*refused") as temporary:
        raise_on_problems(preflight(away))
    with pytest.raises(SetupError) as permanent:
        raise_on_problems(preflight(msgspec.structs.replace(away, queue=gone)))

    assert (temporary.value.exit_code, permanent.value.exit_code) == (75, 2)


def test_what_may_pass_is_tried_again_until_it_has(job: JobSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    down = [Finding("postgres", "restarting", is_problem=True, is_temporary=True)]
    up = [Finding("postgres", "ready")]
    answers = [down, down, up]
    monkeypatch.setattr(preflight_module, "preflight", lambda _, **_options: answers.pop(0))

    assert preflight_with_retries(job) == up


def test_what_does_not_pass_is_not_tried_again(job: JobSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [Finding("postgres", "no table", is_problem=True)]
    answers = [missing]
    monkeypatch.setattr(preflight_module, "preflight", lambda _, **_options: answers.pop(0))

    with pytest.raises(SetupError, match="no table"):
        preflight_with_retries(job)


def test_it_is_tried_again_for_as_long_as_the_job_says(away: JobSettings) -> None:
    with pytest.raises(UnavailableError, match="cannot start now"):
        preflight_with_retries(msgspec.structs.replace(away, db_retry_seconds=0))


HASHED = 'name = "hashed"\ntable = "hashed"\n[columns.email_hash]\nfield = "email"\ntype = "char(22)"\nmask = "hash"'


def test_a_stream_that_hashes_does_not_start_without_its_keyset(job: JobSettings) -> None:
    without = msgspec.structs.replace(job, stream=parse_stream(HASHED, "hashed.toml"))

    found = [text for part, text in problems(without) if part == "hash_keyset"]

    assert len(found) == 1
    assert found[0].startswith("missing; the stream hashed hashes email_hash; give --hash_keyset, which ")


def test_the_keyset_of_hashes_is_tried_and_may_not_be_the_one_that_masks(job: JobSettings) -> None:
    hashed = msgspec.structs.replace(job, stream=parse_stream(HASHED, "hashed.toml"), hash_keyset=job.keyset)

    found = [text for part, text in problems(hashed) if part == "hash_keyset"]

    assert len(found) == 1
    assert "is an AesSivKey; hashes take a keyset with an HmacPrfKey" in found[0]
