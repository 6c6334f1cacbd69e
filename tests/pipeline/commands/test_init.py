"""``init`` asks nothing, and what it leaves works as it stands: definition, test, and the commands of the README."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from apache_beam.testing.util import BeamAssertException

from maskline.pipeline.cli import main
from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.sqs import QueueAddress, SqsQueue
from maskline.streams.definition import load_stream
from tests.documents import blocks, run_commands
from tests.maskline.postgres.records import connected, rows_of
from tests.maskline.streams.shapes import in_sns

ORDERS = [
    in_sns(json.dumps({"id": number, "customer": {"email": f"ann{number}@example.com"}, "lines": [{"sku": "a-77"}]}))
    for number in (41_234, 41_235)
]
FILES = [".gitignore", "README.md", "orders.toml", "pytest.ini", "run_local.sh", "test_orders.py"]


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A project that was made from two orders."""
    (tmp_path / "orders.jsonl").write_text("\n".join(ORDERS))
    made = main(["init", str(tmp_path / "my orders"), f"--messages={tmp_path}/orders.jsonl", "--name=orders"])
    assert made == 0
    return tmp_path / "my orders"


def read_all(folder: Path) -> dict[str, str]:
    """Return the text of each file of a folder."""
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_it_leaves_a_folder_and_says_how_to_go_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(read_all(project)) == FILES
    assert load_stream(str(project / "orders.toml")).name == "orders"
    assert (project / "run_local.sh").stat().st_mode & 0o111
    assert capsys.readouterr().out.splitlines() == [
        f"Made {project}: {', '.join(FILES)}.",
        "The definition is drafted 4 columns, 1 of them masked, from 2 messages; tried, 2 of 2 become rows.",
        f"Read {project}/orders.toml through, and go on as {project}/README.md says: cd '{project}'",
    ]


def test_no_value_of_the_messages_is_in_it(project: Path) -> None:
    values = ("ann4", "@example.com", "41234", "41235", "a-77", "22b80b92")

    found = [value for value in values for text in read_all(project).values() if value in text]

    assert found == []


def test_without_a_folder_it_is_called_as_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.jsonl").write_text(ORDERS[0])

    assert main(["init", "--messages=m.jsonl", "--name=refunds"]) == 0

    assert (tmp_path / "refunds" / "test_refunds.py").exists()


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (["README.md"], "directory {}: holds files already, and nothing is overwritten; name a new one"),
        (None, "directory {}: is a file, and nothing is overwritten; name a new one"),
    ],
)
def test_what_is_there_is_not_overwritten(
    there: Sequence[str] | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.jsonl").write_text(ORDERS[0])
    folder = tmp_path / "orders"
    if there is None:
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / there[0]).write_text("mine")

    exit_code = main(["init", str(folder), f"--messages={tmp_path}/m.jsonl"])

    assert exit_code == 2
    assert capsys.readouterr().err == f"maskline: {told.format(folder)}\n"
    assert (folder if there is None else folder / there[0]).read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(ORDERS[0])
    (tmp_path / "orders").mkdir()

    assert main(["init", str(tmp_path / "orders"), f"--messages={tmp_path}/m.jsonl"]) == 0

    assert sorted(read_all(tmp_path / "orders")) == FILES


def test_without_messages_it_says_where_to_take_them_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--name=orders"]) == 2

    assert capsys.readouterr().err == (
        "maskline: messages: missing; give --messages FILE, or --queue, the queue to look into\n"
    )


def generated_test(project: Path) -> ModuleType:
    """Import the test of a project, as pytest would."""
    specification = importlib.util.spec_from_file_location("test_orders", project / "test_orders.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_pytest_takes_the_generated_test_within_a_project_that_has_settings_of_its_own(project: Path) -> None:
    settings = '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\naddopts = "--unknown"\n'
    (project.parent / "pyproject.toml").write_text(settings)

    exit_code = pytest.main(["--collect-only", "--quiet", "-p", "no:cacheprovider", "-p", "no:xdist", str(project)])

    assert exit_code == pytest.ExitCode.OK


def test_the_generated_test_passes(project: Path) -> None:
    module = generated_test(project)

    module.test_each_example_becomes_what_the_definition_says()
    (example,) = module.STREAM.examples
    module.test_no_personal_value_is_left_in_a_row_and_equal_ones_have_equal_tokens(example)


def test_the_generated_test_fails_where_a_row_is_otherwise_or_a_value_is_left_in_clear(project: Path) -> None:
    definition = project / "orders.toml"
    row = 'masked_customer_email = "example of email"'
    definition.write_text(definition.read_text().replace(row, 'masked_customer_email = "another"'))
    module = generated_test(project)

    with pytest.raises(AssertionError):
        module.test_each_example_becomes_what_the_definition_says()

    (example,) = module.STREAM.examples
    # As if the value of a masked column stood in a row as it is: that of another column does.
    leaking = msgspec.structs.replace(example, row={"masked_customer_email": str(["example of sku"])})
    with pytest.raises(BeamAssertException):
        module.test_no_personal_value_is_left_in_a_row_and_equal_ones_have_equal_tokens(leaking)


@pytest.mark.slow
def test_the_commands_of_its_readme_lead_to_masked_rows(
    project: Path, queue: SqsQueue, queue_address: QueueAddress, unmigrated_dsn: str
) -> None:
    queue.send(ORDERS)
    places = {
        **CREDENTIALS,
        "MASKLINE_QUEUE": queue_address.queue,
        "MASKLINE_QUEUE_ENDPOINT": str(queue_address.endpoint),
        "MASKLINE_POSTGRES": unmigrated_dsn,
    }

    ran = run_commands("\n".join(blocks((project / "README.md").read_text(), "bash")), project, places)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "ann41234@example.com" in ran.stdout, "recovered by the last command"
    with connected(unmigrated_dsn) as database:
        rows = rows_of(database, "SELECT id, masked_customer_email, lines_sku FROM orders ORDER BY id")
    assert [(number, skus) for number, _, skus in rows] == [(41_234, ["a-77"]), (41_235, ["a-77"])]
    assert not any("@" in token for _, token, _ in rows)


@pytest.mark.slow
def test_its_script_runs_the_job_on_this_machine_and_says_how_to_go_on(project: Path, server_directory: Path) -> None:
    data = server_directory / "data"

    ran = run_commands(f"./run_local.sh --send ../orders.jsonl --data_directory '{data}'", project, {})

    assert ran.returncode == 0, ran.stderr
    assert "orders: 2 of 2 rows" in ran.stdout
    assert "unmask --stream orders.toml --column masked_customer_email" in ran.stdout
    assert (
        f"maskline local --follow --stream orders.toml --send ../orders.jsonl --data_directory {data}\n" in ran.stdout
    )
