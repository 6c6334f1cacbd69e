"""Help is there at once, fits the terminal, and shows our options first."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from maskline.pipeline.cli import COMMANDS, main
from tests.command_line import actions
from tests.e2e.job_process import PROJECT

HEAVY = (
    *("apache_beam", "boto3", "botocore", "pycurl", "psycopg", "tink", "google.protobuf", "rich", "msgspec"),
    *("maskline.keys", "maskline.sqs", "maskline.streams", "maskline.postgres", "maskline.pipeline.options"),
)
"""What takes most of a second to import, and what brings it."""

OF_JOBS = ("apache_beam", "pandas", "moto", "ministack")
"""What takes seconds to import, and no parser needs."""


def imported_by(*arguments: str) -> set[str]:
    """Return the modules that a command line imports."""
    code = (
        f"import sys; from maskline.pipeline.cli import main\ntry: main({list(arguments)!r})\n"
        "except SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(ran.stderr.split())


@pytest.mark.heavy
@pytest.mark.parametrize("option", ["-h", "--version"])
def test_help_and_version_import_nothing_of_a_job(option: str) -> None:
    assert imported_by(option) & set(HEAVY) == set()


@pytest.mark.heavy
@pytest.mark.parametrize(("variable", "absent"), [("", HEAVY), ("MASKLINE_LOG_LEVEL", OF_JOBS)], ids=["page", "parser"])
def test_the_help_of_no_command_imports_what_takes_long(variable: str, absent: tuple[str, ...]) -> None:
    code = (
        "import contextlib, io, sys; from maskline.pipeline.cli import main\n"
        f"for words in {[each.split() for each in actions()]!r}:\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main([*words, '-h'])\n"
        f"    print(*words, *sorted({set(absent)!r} & sys.modules.keys()), sep=',')"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASKLINE_")}
    environment |= {variable: "info"} if variable else {}

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )

    assert ran.stdout.splitlines() == [each.replace(" ", ",") for each in actions()]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_every_help_fits_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    too_wide = {}

    for command in ("", *COMMANDS, *actions()):
        with contextlib.suppress(SystemExit):
            main([*command.split(), "--help"])
        lines = capsys.readouterr().out.splitlines()
        too_wide[command] = [line for line in lines if len(line) > columns]

    assert {command: lines for command, lines in too_wide.items() if lines} == {}


@pytest.mark.parametrize("command", ["run", "local"])
def test_beams_options_have_a_help_of_their_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    ours = capsys.readouterr().out
    with pytest.raises(SystemExit) as leaving:
        main([command, "--help_beam"])
    beams = capsys.readouterr().out

    assert "--help_beam" in ours
    assert "--prism_location" not in ours
    assert "--prism_location" in beams
    assert leaving.value.code == 0


@pytest.mark.heavy
def test_local_starts_without_the_packages_that_a_job_does_not_use() -> None:
    imported = imported_by("local", "--messages=-1")  # which is refused when all is imported

    assert {"pyarrow", "pandas", "apache_beam"} & imported == {"apache_beam"}
