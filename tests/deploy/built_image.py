"""The image of deploy/Dockerfile, built by buildah, and programs that run in it as a container engine would have them.

In the place of the base that the Dockerfile names stands Debian's own bookworm with its Python 3.11, and the packages
of the lock files come from a folder, not from an index: tests/deploy/fetch.sh fetches both. The build has no network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.tools_built import DEPLOY, FETCHED

_BASE = FETCHED / "image" / "base.tar"
_WHEELS = FETCHED / "image" / "wheels"
_BASE_NAME = "localhost/base"
_NAME = "localhost/maskline"
_BUILD_SECONDS = 600
_RUN_SECONDS = 120
_SEAL = r"""
set -eu
root=$1 uid=$2 gid=$3 folder=$4 readable=$5
shift 5
mount --bind "$root" "$root"
mount -t tmpfs -o size=64m,mode=1777,noexec,nosuid,nodev tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,ro "$root/dev"
mount --rbind /proc "$root/proc"
if [ -n "$readable" ]; then
    mount --bind "$readable" "$root/mnt"
    mount -o remount,bind,ro "$root/mnt"
fi
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all -- env --chdir="$folder" -- "$@"
"""
READABLE = "/mnt"
"""Where a program finds the folder that it may read beside the image."""


def why_it_cannot_be_built() -> str | None:
    """Return why this machine cannot build and run the image, or None where it can."""
    if os.geteuid() != 0:
        return "only root may make the mounts of an image"
    missing = [program for program in ("buildah", "unshare", "setpriv", "chroot") if shutil.which(program) is None]
    if missing:
        return f"{missing[0]} is not installed"
    if not (_BASE.exists() and _WHEELS.is_dir()):
        return "the image's base is not there; tests/deploy/fetch.sh makes it where mmdebstrap is installed"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
    )
    return None if tried.returncode == 0 else "this machine allows no mounts: " + tried.stderr.decode().strip()


takes_image = pytest.mark.skipif(why_it_cannot_be_built() is not None, reason=str(why_it_cannot_be_built()))


class BuiltImage:
    """The image, unpacked.

    Args:
        context: The folder that is sent to the builder.
        directory: An empty folder for all that the builder keeps.
    """

    def __init__(self, context: Path, directory: Path) -> None:
        self._directory = directory
        offline = directory / "pip.conf"
        offline.write_text("[global]\nno-index = true\nfind-links = /var/cache/wheels\n")
        self._buildah("from", "--isolation=chroot", "--name=base", "scratch")
        self._buildah("add", "--quiet", "base", _BASE, "/")
        self._buildah("commit", "--quiet", "--rm", "base", _BASE_NAME)
        self._buildah(
            "bud",
            "--isolation=chroot",
            "--pull-never",
            f"--build-arg=PYTHON={_BASE_NAME}",
            f"--volume={_WHEELS}:/var/cache/wheels:ro",
            f"--volume={offline}:/etc/pip.conf:ro",
            f"--file={DEPLOY / 'Dockerfile'}",
            f"--tag={_NAME}",
            context,
        )
        container = self._buildah("from", "--isolation=chroot", "--pull-never", _NAME).strip()
        self.root = Path(self._buildah("mount", container).strip())
        self.config: dict[str, Any] = json.loads(self._buildah("inspect", "--type=image", _NAME))["OCIv1"]["config"]

    def run(
        self,
        *arguments: str,
        entrypoint: list[str] | None = None,
        readable: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the image's program as its user, without a capability, in its file system, which is read-only.

        Like ``docker run --read-only --tmpfs /tmp --network host --cap-drop ALL --security-opt no-new-privileges``.

        Args:
            arguments: Those of the program.
            entrypoint: Another program with its first arguments.
            readable: A folder that is to be at `READABLE`.
            environment: Variables beside those of the image.
        """
        uid, _, gid = self.config["User"].partition(":")
        program = [*(entrypoint or self.config["Entrypoint"]), *arguments]
        seal = [self.root, uid, gid, self.config["WorkingDir"], readable or ""]
        variables = dict(line.split("=", 1) for line in self.config["Env"])
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", _SEAL, "sh", *map(str, seal), *program],
            env={**variables, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_RUN_SECONDS,
        )

    def remove(self) -> None:
        """Take away the image and all that its builder kept."""
        self._buildah("umount", "--all")
        for mounted in ("store/overlay", "run"):
            subprocess.run(["umount", self._directory / mounted], capture_output=True, check=False)
        shutil.rmtree(self._directory)

    def _buildah(self, *arguments: str | Path) -> str:
        store = [f"--root={self._directory / 'store'}", f"--runroot={self._directory / 'run'}"]
        done = subprocess.run(
            ["unshare", "--net", "buildah", *store, *arguments],
            env={"PATH": os.environ["PATH"], "TMPDIR": str(self._directory)},
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS,
        )
        assert done.returncode == 0, (arguments[0], done.stdout[-2000:], done.stderr[-4000:])
        return done.stdout
