"""A package that is not installed is one line that names the extra, never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from maskline.extras import _EXTRAS, missing_extra
from maskline.pipeline.cli import COMMANDS, main
from tests.e2e.job_process import PROJECT
from tests.pinned import METADATA, canonical, declared
from tests.test_architecture import canonical_of

EXTRA_OF_COMMANDS = {"run": "beam", "local": "local", "flink": "local", "publish": "lake", "lake": "lake"}


def test_every_package_of_an_extra_is_known_with_the_extras_that_bring_it() -> None:
    extras = [extra for extra in METADATA["optional-dependencies"] if extra != "all"]
    brought = {extra: {canonical(name) for name in declared(extra)} for extra in extras}

    known = {canonical_of(module): set(bringing) for module, bringing in _EXTRAS.items()}

    assert known == {
        package: {extra for extra in extras if package in brought[extra]} for package in set.union(*brought.values())
    }


def test_the_extra_that_brings_all_is_named_before_the_smallest() -> None:
    missing = ModuleNotFoundError("No module named 'rich.console'", name="rich.console")

    assert str(missing_extra(missing, "the command run", "beam")) == (
        "the command run needs rich, which is not installed: pip install 'maskline[beam]'"
    )
    assert str(missing_extra(missing, "this", "none that brings it")).endswith("pip install 'maskline[cli]'")


def test_a_module_that_no_extra_brings_is_none_of_its_business() -> None:
    assert missing_extra(ModuleNotFoundError("No module named 'x'", name="x"), "this") is None
    assert missing_extra(ModuleNotFoundError("no name"), "this") is None


@pytest.mark.heavy
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_its_extra_is_one_line(command: str) -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({list(_EXTRAS)!r}))\n"
        f"from maskline.pipeline.cli import main; sys.exit(main([{command!r}]))"
    )

    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)

    extra = EXTRA_OF_COMMANDS.get(command, "cli")
    assert result.returncode == 2
    assert result.stderr == (
        f"maskline: the command {command} needs pythonjsonlogger, which is not installed: "
        f"pip install 'maskline[{extra}]'\n"
    )


def test_a_module_of_ours_that_is_missing_is_not_taken_for_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maskline.pipeline.commands.ddl", None)

    with pytest.raises(ModuleNotFoundError):
        main(["ddl"])


def test_transforms_without_beam_say_which_extra_brings_it() -> None:
    code = "import sys; sys.modules['apache_beam'] = None; import maskline.transforms"

    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert result.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: maskline.transforms needs Apache Beam, which is not installed: "
        "pip install 'maskline[beam]'"
    )
