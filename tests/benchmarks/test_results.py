"""Results: what stands in the file stands in the tables, and where it comes from."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.results import Machine, Result, command_line, measured, shown
from maskline.errors import UsageError

RESULT = Result(
    name="backlog",
    title="Throughput",
    command="python -m benchmarks backlog",
    measured_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
    machine=Machine(cpu="a processor", cores=2, memory_gigabytes=24, system="Linux", load=0.1),
    versions={"python": "3.11"},
    commit="0a1b2c3",
    columns=["", "messages", "CPU [ms]"],
    rows=[["run 1", 1000, 110.25], ["run 2", 10_000, None]],
    curves={"rows/s": [(1000.0, 5.0)]},
)


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = RESULT.write(tmp_path)

    assert file.name == "backlog.json"
    assert Result.read(file) == RESULT


def test_a_file_that_is_no_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"name": 1}')

    with pytest.raises(UsageError, match=r"other\.json: cannot be read: "):
        Result.read(tmp_path / "other.json")


def test_a_document_shows_the_table_and_where_it_comes_from() -> None:
    assert RESULT.markdown() == (
        "\n"
        "|  | messages | CPU [ms] |\n"
        "| --- | --: | --: |\n"
        "| run 1 | 1,000 | 110 |\n"
        "| run 2 | 10,000 | - |\n"
        "\n"
        "`python -m benchmarks backlog`, 2026-01-31 12:00 UTC, commit 0a1b2c3, a processor, 2 cores,"
        " load before it 0.1.\n"
    )


def test_a_terminal_shows_units_and_does_not_take_them_for_markup() -> None:
    output = io.StringIO()

    Console(width=80, file=output).print(RESULT.table())

    assert "CPU [ms]" in output.getvalue()


def test_a_measurement_names_machine_versions_and_command_and_has_no_digits_that_nobody_measured() -> None:
    result = measured("x", "X", ["CPU", "nothing"], [[123.456789, float("nan")]])

    assert result.rows == [[123.5, None]]
    assert result.machine.cores >= 1
    assert "apache-beam" in result.versions
    assert result.command.startswith("python -m benchmarks")


def test_a_point_without_a_value_is_not_drawn_and_the_result_can_be_read_again(tmp_path: Path) -> None:
    result = measured("x", "X", ["CPU"], [[1.0]], {"CPU": [(1.0, float("nan")), (2.0, 3.0)]})

    assert Result.read(result.write(tmp_path)).curves == {"CPU": [(2.0, 3.0)]}


def test_a_command_line_does_not_say_where_another_program_stands() -> None:
    split = command_line(["latency", "--command", "/home/me/bin/program", "--rate", "5"])
    joined = command_line(["latency", "--command=/home/me/bin/program"])
    peers = command_line(["compare", "--peer", "fast=/home/me/bin/program", "--peer=slow=/home/me/bin/other"])

    assert split == "python -m benchmarks latency --command PROGRAM --rate 5"
    assert joined == "python -m benchmarks latency --command=PROGRAM"
    assert peers == "python -m benchmarks compare --peer fast=PROGRAM --peer=slow=PROGRAM"


@pytest.mark.parametrize(
    ("cell", "text"), [(None, "-"), ("a", "a"), (1234, "1,234"), (1234.5, "1,234"), (0.01234, "0.0123"), (0.0, "0")]
)
def test_a_number_is_shown_with_three_digits(cell: str | float | None, text: str) -> None:
    assert shown(cell) == text
