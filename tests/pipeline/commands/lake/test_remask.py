"""``lake remask`` killed at any step leaves the old tokens or the new ones, and the next one ends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.lake.incomplete_uploads import incomplete_uploads
from maskline.lake.storage import Storage
from maskline.pipeline.cli import main
from tests.e2e.conftest import login
from tests.maskline.lake.copies import rows_in
from tests.pipeline.commands.conftest import Write
from tests.pipeline.commands.killed_command import kill_at


def test_rows_that_stay_under_a_key_that_the_keyset_holds_disabled_end_it_with_1(
    write: Write, keyset: Keyset, dsn: str, keyset_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [f"--postgres={dsn}", f"--keyset={keyset_uri}"]
    lake = f"--lake_opaque={tmp_path / 'opaque'}"
    write([login(1), login(2)])
    main(["lake", "publish", *parts, lake])
    main(["keys", "add", parts[1]])
    new = json.loads(Path(keyset_uri.removeprefix("file:")).read_text())["key"][-1]["keyId"]
    main(["keys", "promote", parts[1], str(new)])
    old = str(keyset.primary_key_id)
    assert main(["remask", *parts]) == 0
    assert main(["keys", "disable", *parts, old]) == 0
    capsys.readouterr()

    assert main(["lake", "remask", *parts, lake]) == 1

    assert capsys.readouterr().out == (
        f"opaque: 0 rows brought under key {new}.\n"
        f"  2 rows stay under key {old}, which this keyset does not hold enabled: run it with a keyset that does.\n"
    )


@pytest.mark.parametrize("step", ["wrote", "closed", "committed"])
def test_killed_at_a_step_and_repeated_it_leaves_no_reader_half_of_it(
    write: Write, keyset: Keyset, dsn: str, keyset_uri: str, tmp_path: Path, step: str
) -> None:
    place = tmp_path / "opaque"
    parts = [f"--postgres={dsn}", f"--keyset={keyset_uri}"]
    written = write([login(1), login(2), login(1)])
    assert main(["lake", "publish", *parts, f"--lake_opaque={place}"]) == 0
    main(["keys", "add", parts[1]])
    new = json.loads(Path(keyset_uri.removeprefix("file:")).read_text())["key"][-1]["keyId"]
    main(["keys", "promote", parts[1], str(new)])
    main(["remask", *parts])

    kill_at(f"remask: {step} opaque", ["lake", "remask", *parts, f"--lake_opaque={place}"])
    seen = rows_in(place, "key_id")
    again = main(["lake", "remask", *parts, f"--lake_opaque={place}"])

    assert seen == [new if step == "committed" else keyset.primary_key_id] * 3
    assert again == 0
    assert rows_in(place, "message_id", "key_id") == sorted((message_id, new) for message_id in written)
    assert main(["lake", "verify", *parts, f"--lake_opaque={place}"]) == 0
    retention = ["--retention_hours=0", "--allow_short_retention"]
    assert main(["lake", "vacuum", f"--lake_opaque={place}", *retention]) == 0
    assert incomplete_uploads(Storage(str(place))) == []
    assert len(list(place.rglob("part-*"))) == 1
