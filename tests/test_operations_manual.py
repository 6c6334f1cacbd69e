"""docs/operations.md has a heading for every alert and exit code, says what to do, and with commands that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from maskline import errors
from maskline.errors import MasklineError, UsageError
from maskline.pipeline.cli import COMMANDS
from maskline.pipeline.command_parser import CommandParser, open_command
from maskline.pipeline.options import variable_of
from maskline.pipeline.stopping import STOPPED_EXIT_CODE
from maskline.postgres.connection import Connection
from tests.deploy.expressions import ALERTS, alerts
from tests.e2e.job_process import PROJECT

MANUAL = (PROJECT / "docs" / "operations.md").read_text()
SECTIONS: dict[str, str] = dict(re.findall(r"^### (.+)\n((?:(?!^##).*\n)*)", MANUAL, re.MULTILINE))
COMMAND_LINES = sorted(
    {
        " ".join(line.split())
        for line in re.findall(r"`maskline\s([^`]+)`", MANUAL + (PROJECT / "docs" / "deploying.md").read_text())
    }
)
ALARMS = {"MasklineDeadLetters"}
"""What CloudWatch tells: deploy/terraform/alarms.tf names the heading."""
KILLED = 128 + 9


def exit_codes() -> set[int]:
    """Return the exit codes of all errors, and those that come without one."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MasklineError)]
    return {0, STOPPED_EXIT_CODE, KILLED, *(kind.exit_code for kind in kinds)}


def test_every_alert_has_its_heading_and_every_heading_its_alert() -> None:
    named = {alert["alert"] for kind in ALERTS for alert in alerts(kind)} | ALARMS

    assert {title for title in SECTIONS if title.startswith("Maskline")} == named


def test_every_exit_code_has_its_heading_and_every_heading_its_exit_code() -> None:
    assert {title for title in SECTIONS if title.startswith("Exit code")} == {f"Exit code {n}" for n in exit_codes()}


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_says_what_to_do(title: str) -> None:
    says = SECTIONS[title]

    nothing = "othing to do" in says
    assert nothing or re.search(r"`[^`]+`|\]\(", says), f"{title}: no command, and nowhere to read on"


def test_ten_faults_and_more_lead_to_a_heading() -> None:
    table = MANUAL.partition("## Find what to do")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if re.match(r"\| (?!what you see|exit code)", row)]

    assert len(rows) >= 20
    assert [row for row in rows if "](" not in row.split("|")[-2]] == []


def test_every_link_of_the_manuals_for_operators_leads_somewhere() -> None:
    for name in ("operations.md", "deploying.md"):
        document = PROJECT / "docs" / name
        for target, anchor in re.findall(r"\]\(([\w./@-]*)(?:#([\w-]+))?\)", document.read_text()):
            file = (document.parent / target).resolve() if target else document
            assert file.exists(), f"{name}: {target}"
            if anchor:
                assert anchor in _anchors(file), f"{name}: {target}#{anchor}"


def test_the_manuals_name_commands() -> None:
    assert len(COMMAND_LINES) > 10


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_can_be_typed_as_it_stands(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("postgres", "queue", "keyset"):
        monkeypatch.setenv(variable_of(name), "as the job has it")
    name, *arguments = shlex.split(line.replace("MESSAGE_ID", "00000000-0000-4000-8000-000000000001"))
    command, parser = open_command("maskline.pipeline", "maskline", name, COMMANDS)
    command.add_options(parser)

    if arguments == ["--help"]:
        assert parser.format_help()
        return
    problem = _usage_problem(parser, arguments)
    is_named_alone = not any(argument.startswith("--") for argument in arguments)  # "after `maskline unmask`, look"
    assert problem is None or (is_named_alone and "missing" in problem), problem


def test_every_query_can_be_asked_as_it_stands(database: Connection) -> None:
    queries = re.findall(r"`(SELECT\s[^`]+)`", MANUAL)
    assert len(queries) > 3

    for query in queries:
        of_a_stream = query.replace("COLUMN", "locale").replace("TABLE", "user_logins")
        database.execute(of_a_stream).fetchall()


def test_the_options_that_the_manual_names_are_those_of_run() -> None:
    command, parser = open_command("maskline.pipeline", "maskline", "run", COMMANDS)
    command.add_options(parser)
    text = re.sub(r"`(kubectl|aws|systemd-run|systemctl|journalctl|curl) [^`]*`", "", MANUAL)
    of_others = {"all", "follow", "log_level", "previous", "print_policy", "reason", "rejection_reason"}

    named = set(re.findall(r"--([a-z][\w-]+)", text)) - of_others

    assert {name for name in named if f"--{name}" not in parser.format_help()} == set()


def _usage_problem(parser: CommandParser, arguments: list[str]) -> str | None:
    try:
        parser.parse_args(arguments)
    except UsageError as error:
        return str(error)
    return None


def _anchors(file: Path) -> set[str]:
    """Return the anchors of the headings of a document, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
