"""Copies are told apart by the places that they resolve to."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.errors import UsageError
from maskline.lake.storage import Storage, check_places_apart
from maskline.pipeline.cli import main


@pytest.mark.parametrize(
    ("opaque", "clear"),
    [
        ("opaque", "y/../opaque/clear"),
        ("opaque", "./opaque"),
        ("opaque/", "opaque"),
        ("opaque", "link/clear"),
        ("link", "opaque"),
        ("opaque", "file://{}/opaque/./clear"),
        ("opaque", "elsewhere/../link/clear"),
    ],
)
def test_a_copy_that_lies_in_the_other_is_refused_by_whatever_way_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opaque: str, clear: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "opaque").mkdir()
    (tmp_path / "link").symlink_to("opaque")

    with pytest.raises(UsageError, match="the two copies need places of their own"):
        check_places_apart(Storage(opaque.format(tmp_path)), Storage(clear.format(tmp_path)))
    with pytest.raises(UsageError, match="the two copies need places of their own"):
        check_places_apart(Storage(clear.format(tmp_path)), Storage(opaque.format(tmp_path)))


def test_copies_beside_one_another_are_apart(tmp_path: Path) -> None:
    (tmp_path / "opaque").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")

    check_places_apart(Storage(f"{tmp_path}/opaque"), Storage(f"{tmp_path}/opaque-clear"))
    check_places_apart(Storage(f"{tmp_path}/opaque"), Storage(f"{tmp_path}/link"))
    check_places_apart(Storage("s3://lake/opaque"), Storage("s3://lake/opaque-clear/"))


@pytest.mark.parametrize("clear", ["s3://lake/opaque/", "s3://lake/opaque/clear", "s3://lake"])
def test_a_copy_in_s3_that_lies_in_the_other_is_refused(clear: str) -> None:
    with pytest.raises(UsageError, match="the two copies need places of their own"):
        check_places_apart(Storage("s3://lake/opaque"), Storage(clear))


@pytest.mark.parametrize(
    "uri",
    [
        "s3://lake//opaque",
        "s3://lake/./opaque",
        "s3://lake/y/../opaque",
        "s3://lake/%6fpaque",
        "s3://lake/a?b",
        "s3://l/a#b",
    ],
)
def test_an_s3_address_that_could_be_read_in_two_ways_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="write it without //, a step like"):
        Storage(uri)


def test_every_command_of_both_copies_refuses_them_not_only_publishing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = [f"--lake_opaque={tmp_path}/opaque", f"--lake_clear={tmp_path}/y/../opaque/clear"]

    codes = [main(["lake", action, *lake]) for action in ("vacuum", "compact", "status", "verify")]

    assert codes == [2, 2, 2, 2]
    assert capsys.readouterr().err.count("the two copies need places of their own") == 4
