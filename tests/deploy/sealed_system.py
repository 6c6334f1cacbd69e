"""The file system of the image, as far as it can be had without a container engine.

A namespace of mounts holds the machine's own libraries, the environment of the tests and the code, all of them
read-only, and one tmpfs at /tmp; a program runs in it as user 9999, without a capability. What it cannot show is that
the image has all it needs: the machine has more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.tools_built import DEPLOY
from tests.e2e.job_process import PROJECT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
CODE = Path("/source")
_SCRIPT = r"""
set -eu
root=$1 user=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/tmp"
mount -t tmpfs -o size=64m,mode=1777,noexec,nosuid tmpfs "$root/tmp"
for link in /bin /sbin /lib /lib32 /lib64; do
    [ ! -L "$link" ] || cp -d "$link" "$root$link"
done
while [ "$1" != -- ]; do
    from=${1%%=*} to=$root${1#*=}
    shift
    if [ -d "$from" ]; then mkdir -p "$to"; else mkdir -p "$(dirname "$to")" && touch "$to"; fi
    mount --bind "$from" "$to"
    mount -o remount,bind,ro "$to"
done
shift
mkdir -p "$root/proc" "$root/dev"
for device in null zero random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount --rbind /proc "$root/proc"
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all -- "$@"
"""


def why_it_cannot_run() -> str | None:
    """Return why this machine cannot run a program so, or None where it can."""
    if os.geteuid() != 0:
        return "only root may make the mounts of an image"
    missing = [program for program in ("unshare", "setpriv", "chroot") if shutil.which(program) is None]
    if missing:
        return f"{missing[0]} is not installed"
    tried = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
    return None if tried.returncode == 0 else "this machine allows no mounts: " + tried.stderr.decode().strip()


takes_mounts = pytest.mark.skipif(why_it_cannot_run() is not None, reason=str(why_it_cannot_run()))


def image_user() -> str:
    """Return the number of the user that the Dockerfile names last."""
    return str(re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)[-1])


def image_environment() -> dict[str, str]:
    """Return the variables that the Dockerfile's last stage sets, but for PATH."""
    stage = DOCKERFILE.rpartition("\nFROM ")[2]
    (line,) = re.findall(r"^ENV (.+)$", stage, re.MULTILINE)
    variables = dict(part.split("=", 1) for part in line.split())
    del variables["PATH"]
    return variables


def run_sealed(
    arguments: list[str],
    directory: Path,
    readable: tuple[Path, ...] = (),
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run Python in such a file system.

    Args:
        arguments: Those of Python.
        directory: An empty directory to build the file system in.
        readable: Files and folders that are to be there beside, at their own paths.
        environment: Variables beside those of the image.
    """
    environment_prefix = Path(sys.prefix).resolve()
    there = [Path("/usr"), Path("/etc"), Path(sys.base_prefix).resolve(), environment_prefix, *readable]
    binds = [f"{path}={path}" for path in there if not _is_within(path, there)]
    binds += [f"{PROJECT / name}={CODE / name}" for name in ("maskline", "transforms", "pipeline")]
    program = [str(environment_prefix / "bin" / "python"), *arguments]
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": str(CODE),
        **image_environment(),
        **(environment or {}),
    }
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", _SCRIPT, "sh", directory, image_user(), *binds, "--", *program],
        env={**variables, **image_environment(), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _is_within(path: Path, others: list[Path]) -> bool:
    return any(other in path.parents for other in others)
