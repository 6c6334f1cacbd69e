"""What every command prints: whole in a pipe, plain under NO_COLOR, and with nothing dropped on a narrow terminal."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import termios
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from string import Template

import msgspec
import pytest

from maskline.keys import Keyset, StoredKeyset, open_keyset
from maskline.keys.files import FileKeyset
from maskline.pipeline.cli import main
from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.pipeline.summary import RunCounts, summary_table
from maskline.pipeline.tables import print_table
from maskline.postgres.connection import Connection
from maskline.transforms.tally import Tally
from tests.command_line import actions
from tests.conftest import MIGRATED, copy_of, run_sql
from tests.e2e.conftest import WRONG_TYPE, login
from tests.maskline.keysets import OTHER_KEY, aes_siv_key, stored
from tests.maskline.postgres.masked_rows import write_masked

PERSON = "a6a1d27f-forget-me"
LONG = "x" * 100
"""A value that is longer than a terminal is wide, of the column ``user_id``."""


class Listing(msgspec.Struct, frozen=True):
    """A command line that prints a table or a list, and changes nothing but entries of a log.

    Attributes:
        typed: The command line, with the names of `parts`.
        typed_in: What it reads from standard input.
        prints: What has to be in its output, so that no empty list passes for a whole one.
    """

    typed: str
    prints: str
    typed_in: str = ""


TABLES = {
    "find": Listing(
        "find --column masked_ip --reason trying --postgres $dsn --keyset $keyset", LONG, "198.51.0.1\n198.51.0.2\n"
    ),
    "leakage": Listing(
        "leakage --column masked_device_id --beside device_type,locale --possible_values 1000 --postgres $dsn",
        "and device_type",
    ),
    "keys list": Listing("keys list --keyset $keyset --postgres $dsn --lake_opaque $folder/opaque", "opaque"),
    "lake status": Listing(
        "lake status --postgres $dsn --lake_opaque $folder/opaque --lake_clear $folder/clear", "not published yet"
    ),
    "lake verify": Listing(
        "lake verify --postgres $dsn --keyset $keyset --lake_opaque $folder/opaque --lake_clear $folder/clear",
        "not the same",
    ),
}
"""The commands that print tables."""

LISTS = {
    "streams draft": Listing("streams draft --messages $folder/messages.jsonl", "[columns."),
    "streams test": Listing("streams test $folder/orders.toml", "rejected"),
    "streams ddl": Listing("streams ddl user_logins", "CREATE TABLE"),
    "ddl": Listing("ddl", "CREATE TABLE"),
    "migrate": Listing("migrate --sql --postgres $dsn --stream user_logins", "user_logins"),
    "check": Listing(
        "check --queue $queue --queue_endpoint $endpoint --postgres $dsn --keyset $keyset", "ok       keyset"
    ),
    "rejects list": Listing("rejects list --postgres $dsn", "missing_field"),
    "rejects show": Listing(
        "rejects show $rejected --reason trying --postgres $dsn --keyset $keyset", "oops_wrong_msg_type"
    ),
    "rejects purge": Listing("rejects purge --older_than 90d --dry_run --postgres $dsn", "0 rejected"),
    "unmask": Listing("unmask --column masked_ip --reason trying --postgres $dsn --keyset $keyset", "198.51.0.1"),
    "mask": Listing("mask --column masked_ip --keyset $keyset", "A", "198.51.0.1\n"),
    "erase": Listing(
        "erase --by user_id --dry_run --postgres $dsn --keyset $keyset --lake_opaque $folder/opaque "
        "--lake_clear $folder/clear",
        "user_logins: 1 rows would be removed.",
        f"{PERSON}\n",
    ),
    "retain rows": Listing("retain rows --older_than 90d --dry_run --postgres $dsn", "user_logins"),
    "retain rejections": Listing("retain rejections --older_than 90d --dry_run --postgres $dsn", "rejected_messages"),
    "retain log": Listing("retain log --older_than 90d --dry_run --postgres $dsn", "entries"),
    "lake vacuum": Listing("lake vacuum --dry_run --lake_opaque $folder/opaque --lake_clear $folder/clear", "opaque"),
    "lake restore": Listing(
        "lake restore --dry_run --postgres $dsn --keyset $keyset --lake_opaque $folder/opaque", "rows"
    ),
}
"""The commands that print lines, each as it is: a terminal wraps them itself."""

SHORTENED = {
    "local": "a terminal without room shows the ends of tokens: tests/pipeline/test_tables.py",
    "streams try": "a terminal shows 60 characters of a value, and --json all: its own test below",
}
"""The commands of which a terminal shows less than a pipe gets, on purpose; each says where that is tested."""

NOT_RUN = {
    "run": "prints one table at its end, which is printed below without a job",
    "flink": "prints the table of run",
}
"""The commands that take a job to print anything."""

SENTENCES = {
    **dict.fromkeys(["keys create", "keys wrap", "keys unwrap", "keys export-writer", "keys split", "keys combine"]),
    **dict.fromkeys(["keys add", "keys import", "keys promote", "keys enable", "keys disable", "keys destroy"]),
    **dict.fromkeys(["init", "streams apply", "streams adopt", "rejects requeue", "remask"]),
    **dict.fromkeys(["lake publish", "lake compact", "lake remask"]),
}
"""The commands that say in a sentence or two what they changed, by `maskline.pipeline.printing.echo`."""


def test_every_command_is_looked_at_or_named() -> None:
    assert sorted([*TABLES, *LISTS, *SHORTENED, *NOT_RUN, *SENTENCES]) == sorted(actions())


@pytest.fixture(scope="module")
def parts(
    postgres: EmbeddedPostgres,
    administrator: Connection,
    sqs: EmbeddedSqs,
    stored_keyset: StoredKeyset,
    keyset: Keyset,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, str]]:
    """A small database, published to a lake, with what commands list: rows of two keys, a rejection, a difference."""
    folder = tmp_path_factory.mktemp("printed")
    (folder / "messages.jsonl").write_text(f"{login(1, user_id=LONG)}\n{WRONG_TYPE}\n")
    (folder / "orders.toml").write_text(
        'name = "orders"\ntable = "orders"\n[columns.id]\ntype = "bigint"\n[[test]]\nbody = "{}"\nrow = { id = 1 }\n'
    )
    file = FileKeyset(folder / "keyset.json")
    file.create(stored_keyset.content)
    with copy_of(MIGRATED, administrator) as name:
        dsn = postgres.dsn(name)
        write_masked(dsn, keyset, [login(1, user_id=LONG), login(1), login(2)])
        write_masked(dsn, keyset, [login(3, user_id=PERSON)])
        write_masked(dsn, open_keyset(stored(aes_siv_key(1, OTHER_KEY), primary=1)), [login(4, ip=None)])
        (rejected,) = write_masked(dsn, keyset, [WRONG_TYPE])
        copies = [f"--lake_opaque={folder}/opaque"]
        assert main(["lake", "publish", f"--postgres={dsn}", f"--keyset={file.uri}", *copies]) == 0
        run_sql(dsn, "DELETE FROM user_logins WHERE key_id = 1")
        copies = [f"--lake_clear={folder}/clear"]
        assert main(["lake", "publish", f"--postgres={dsn}", f"--keyset={file.uri}", *copies]) == 0
        run_sql(dsn, "UPDATE user_logins SET locale = 'XX' WHERE user_id = '00000000-0000-0000-0000-000000000002'")
        yield {
            "dsn": shlex.quote(dsn),
            "keyset": file.uri,
            "folder": str(folder),
            "rejected": rejected,
            "queue": sqs.create_queue(f"printed-{uuid.uuid4().hex}"),
            "endpoint": sqs.endpoint,
        }


@pytest.mark.parametrize("listing", [*TABLES.values(), *LISTS.values()], ids=[*TABLES, *LISTS])
def test_a_pipe_gets_all_and_a_narrow_terminal_drops_nothing(
    listing: Listing, parts: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = shlex.split(Template(listing.typed).substitute(parts))

    def run() -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(listing.typed_in))
        return main(arguments)

    piped = printed_to_a_pipe(run, monkeypatch)
    plain = printed_to_a_terminal(run, 80, monkeypatch, no_color="1")
    narrow = printed_to_a_terminal(run, 60, monkeypatch)

    assert listing.prints in piped
    assert "\x1b" not in piped + plain
    assert "…" not in piped
    assert [line for line in piped.splitlines() if line != line.rstrip()] == []
    assert content_of(plain) == content_of(piped)
    assert content_of(narrow) == content_of(piped)


@pytest.mark.parametrize("columns", [80, 60])
def test_the_summary_of_a_run_is_whole_everywhere(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> int:
        tally = Tally()
        for name, count in {"received": 12_345_678, "written": 12_345_000, "rejected_missing_field": 678}.items():
            tally.add(name, count)
        print_table(summary_table(RunCounts.of(tally), 61.5))
        return 0

    piped = printed_to_a_pipe(run, monkeypatch)

    assert "12,345,000" in piped
    assert "\x1b" not in piped
    assert content_of(printed_to_a_terminal(run, columns, monkeypatch)) == content_of(piped)


def test_what_becomes_of_a_message_is_shown_whole_in_a_pipe_and_shortened_on_a_terminal(
    parts: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> int:
        return main(["streams", "try", "user_logins", "--messages", f"{parts['folder']}/messages.jsonl"])

    assert f"user_id = {LONG}" in printed_to_a_pipe(run, monkeypatch)
    assert f"user_id = {'x' * 59}…" in printed_to_a_terminal(run, 80, monkeypatch)


def printed_to_a_pipe(run: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what is printed where the next program reads it."""
    output = io.StringIO()
    with monkeypatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        patch.setattr("sys.stdout", output)
        run()
    return output.getvalue()


def printed_to_a_terminal(
    run: Callable[[], int], columns: int, monkeypatch: pytest.MonkeyPatch, no_color: str = ""
) -> str:
    """Return what a terminal of a width is given, with its escape sequences."""
    controller, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    given: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=[controller, given])
    reader.start()
    with monkeypatch.context() as patch, os.fdopen(terminal, "w", encoding="utf-8") as screen:
        for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), "NO_COLOR": no_color}.items():
            patch.setenv(name, value)
        patch.setattr("sys.stdout", screen)
        run()
    reader.join()
    os.close(controller)
    return b"".join(given).decode().replace("\r\n", "\n")


def _read_all(controller: int, given: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # so a terminal says that nobody writes any more
        while chunk := os.read(controller, 4096):
            given.append(chunk)


def content_of(printed: str) -> list[str]:
    """Return what is in the sentences, and in each column of each table, however lines are broken."""
    sentences: list[str] = []
    columns: list[list[str]] = []
    for line in re.sub(r"\x1b\[[\d;]*m", "", printed).splitlines():
        if re.match("[┏┌]", line):
            columns += [[] for _ in re.split("[┳┬]", line)]
            width = len(re.split("[┳┬]", line))
        elif re.match("[┃│]", line):
            cells = re.split("[┃│]", line)[1:-1]
            assert len(cells) == width, line
            for column, cell in zip(columns[-width:], cells, strict=True):
                column.append(cell)
        elif not re.match("[┡├└]", line):
            sentences.append(line)
    return ["".join("".join(lines).split()) for lines in (sentences, *columns)]
