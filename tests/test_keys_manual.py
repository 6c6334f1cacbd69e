"""docs/keys.md holds: its programs run, and it names every action; its commands run in test_documented_commands.py."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from maskline.keys import Keyset, StoredKeyset, keyset_provider, open_keyset
from maskline.masks.deterministic import Masker
from maskline.pipeline.cli import main
from tests.documents import blocks
from tests.e2e.job_process import PROJECT

MANUAL = (PROJECT / "docs" / "keys.md").read_text()
POM = PROJECT / "tests" / "interoperability" / "pom.xml"


def test_every_action_that_it_names_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    named = set(re.findall(r"(?:maskline |`)keys (\w+)", MANUAL)) | set(re.findall(r"\*\*(\w+)\*\*", MANUAL))

    with pytest.raises(SystemExit):
        main(["keys", "--help"])

    offered = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))
    assert offered - named == set()


def test_pycryptodome_alone_recovers_a_value(stored_keyset: StoredKeyset, keyset: Keyset) -> None:
    (program,) = blocks(MANUAL, "python")
    token = Masker(keyset).mask("203.0.113.7", "user_logins.masked_ip")
    namespace: dict[str, Any] = {}

    exec(program, namespace)
    value = namespace["recover"](token, "user_logins.masked_ip", stored_keyset.content.decode())

    assert value == "203.0.113.7"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mvn") is None, reason="Maven, which fetches Tink for Java, is not installed")
@pytest.mark.parametrize("steps", range(5))
def test_java_recovers_a_value_at_every_step_of_a_rotation(tmp_path: Path, keyset_uri: str, steps: int) -> None:
    (program,) = blocks(MANUAL, "java")
    (tmp_path / "Recover.java").write_text(program)
    class_path = tmp_path / "class-path"
    maven = ["mvn", "--quiet", "--file", str(POM), "dependency:build-classpath", f"-Dmdep.outputFile={class_path}"]
    subprocess.run(maven, check=True)
    _take_steps(keyset_uri, ["add", "promote", "disable", "destroy"][:steps])
    keyset = open_keyset(keyset_provider(keyset_uri).fetch())
    token = Masker(keyset).mask("203.0.113.7 ä€😀", "user_logins.masked_ip")

    java = ["java", "-cp", class_path.read_text(), "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "Recover.java"]
    arguments = [keyset_uri.removeprefix("file:"), "user_logins.masked_ip", token]
    result = subprocess.run([*java, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert result.stdout == "203.0.113.7 ä€😀\n"


def _take_steps(keyset_uri: str, steps: list[str]) -> None:
    old = open_keyset(keyset_provider(keyset_uri).fetch()).primary_key_id
    for step in steps:
        (new,) = open_keyset(keyset_provider(keyset_uri).fetch()).key_ids - {old} or {None}
        retire = [str(old), "--no_database", "--force"]
        arguments = {"add": [], "promote": [str(new)], "disable": retire, "destroy": retire}
        assert main(["keys", step, f"--keyset={keyset_uri}", *arguments[step]]) == 0
