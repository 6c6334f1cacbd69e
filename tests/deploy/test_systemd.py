"""systemd takes the unit, which keeps to itself and is started again only where that helps."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tools_built import DEPLOY

UNIT = DEPLOY / "systemd" / "maskline@.service"
MAX_EXPOSURE = 2.0
"""Of systemd's own scale, from 0, which is exposed to nothing, to 10."""

takes_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


class _Parser(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        """Return a name as it is: systemd tells capitals from others."""
        return optionstr


def settings() -> configparser.SectionProxy:
    parser = _Parser(strict=False)
    parser.read_string(UNIT.read_text())
    return parser["Service"]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that there is, for systemd looks for it."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/maskline/bin/maskline run", "/usr/bin/true"))
    return copy


@takes_systemd
def test_systemd_knows_every_setting(unit: Path) -> None:
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert (verified.returncode, verified.stderr) == (0, "")


@takes_systemd
def test_a_setting_that_systemd_does_not_know_is_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))

    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert "'ProtectHomes'" in verified.stderr


@takes_systemd
def test_systemd_finds_little_that_it_is_exposed_to(unit: Path) -> None:
    looked = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE * 10:.0f}", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert looked.returncode == 0, looked.stdout


def test_it_is_started_again_but_not_where_that_does_not_help_and_has_time_to_stop() -> None:
    service = settings()

    assert service["Restart"] == "on-failure"
    assert (service["RestartPreventExitStatus"], service["SuccessExitStatus"]) == ("2", "130")
    assert int(service["TimeoutStopSec"]) > 25
    assert service["Environment"] == "MASKLINE_LONG_POLL_SECONDS=20"
