"""A package that is not installed is one line that names the extra, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.heavy
def test_the_extra_of_a_cloud_is_named_though_others_bring_packages_of_its_name() -> None:
    pytest.importorskip("azure.keyvault.keys", reason="the extra azure is not installed")
    cases = [
        ("google.auth", "gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k"),
        ("google_crc32c", "gcp-secretmanager://projects/p/secrets/s"),
        ("azure", "azure-keyvault-key://v.vault.azure.net/k"),
        ("azure.core", "azure-keyvault-key://v.vault.azure.net/k"),
        ("azure.keyvault", "azure-keyvault-secret://v.vault.azure.net/s"),
        ("hvac", "vault-kv://secret/logins"),
    ]
    # google.protobuf is there all the time: Beam and Tink bring it.
    code = (
        "import sys, google.protobuf\n"
        "from maskline.keys import keyset_provider\n"
        "class Blocker:\n"
        "    missing = ''\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if f'{name}.'.startswith(self.missing + '.'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        f"for Blocker.missing, uri in {cases!r}:\n"
        "    try: keyset_provider(uri if 'secret' in uri else uri + '?keyset=file:k')\n"
        "    except Exception as error: print(f'{type(error).__name__}: {error}')\n"
    )

    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)

    missing = "which is not installed: pip install"
    assert result.stdout.splitlines() == [
        f"MissingExtraError: a keyset of gcp-kms:// needs google.auth, {missing} 'maskline[google]'",
        f"MissingExtraError: a keyset of gcp-secretmanager:// needs google_crc32c, {missing} 'maskline[google]'",
        f"MissingExtraError: a keyset of azure-keyvault-key:// needs azure.core, {missing} 'maskline[azure]'",
        f"MissingExtraError: a keyset of azure-keyvault-key:// needs azure.core, {missing} 'maskline[azure]'",
        "MissingExtraError: a keyset of azure-keyvault-secret:// needs azure.keyvault.keys, "
        f"{missing} 'maskline[azure]'",
        f"MissingExtraError: a keyset of vault-kv:// needs hvac, {missing} 'maskline[vault]'",
    ], result.stderr


@pytest.mark.parametrize(
    "module", ["google.cloud.bigquery", "google.protobuf", "googleapiclient", "azure.storage.blob"]
)
def test_another_package_of_a_clouds_name_is_not_taken_for_an_extra(module: str) -> None:
    assert missing_extra(ModuleNotFoundError(f"No module named {module!r}", name=module), "this") is None


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


@pytest.mark.heavy
def test_a_local_run_takes_no_lake_and_one_that_asks_for_it_says_so_before_anything_starts(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['deltalake'] = None\n"
        "from maskline.pipeline.cli import main; sys.exit(main(['local', '--lake', '--data_directory', sys.argv[1]]))"
    )

    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    failure = json.loads(result.stderr)
    assert (failure["level"], failure["exit_code"]) == ("ERROR", 2)
    assert failure["event"] == "the command local needs deltalake, which is not installed: pip install 'maskline[lake]'"
    assert not (tmp_path / "data").exists()


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
