"""A keyset's file is replaced whole or not at all, and the version before it is kept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.errors import KeysetError
from maskline.keys.files import FileKeyset

pytestmark = pytest.mark.heavy

CHANGED_MEANWHILE = "somebody else changed it meanwhile; look at it and try again"
KILLED_AT = """
import os, sys
from pathlib import Path
from maskline.keys.files import FileKeyset

kind, count = sys.argv[2], int(sys.argv[3])

def kill(event, arguments):
    global count
    if event == kind:
        count -= 1
        if count < 0:
            os._exit(9)

sys.addaudithook(kill)
FileKeyset(Path(sys.argv[1])).replace(b"{old}", b"{new}")
"""
"""Replaces a keyset in a process that dies at the n-th call of a kind: before it, for audit hooks come first."""

ADDS_NUMBERS = """
import sys
from pathlib import Path
from maskline.errors import KeysetError
from maskline.keys.files import FileKeyset

provider, name, done = FileKeyset(Path(sys.argv[1])), sys.argv[2], 0
while done < 20:
    before = provider.fetch().content
    try:
        provider.replace(before, before + f"{name}{done} ".encode())
        done += 1
    except KeysetError as error:
        assert "somebody else changed it meanwhile" in str(error), error
"""
"""Adds 20 words to a file, trying again whenever somebody else was quicker."""


@pytest.fixture
def keyset(tmp_path: Path) -> FileKeyset:
    """A file that holds ``{old}``."""
    provider = FileKeyset(tmp_path / "keyset.json")
    provider.create(b"{old}")
    return provider


def mode(path: Path) -> int:
    """Return the mode of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_new_version_stands_in_the_old_one_s_place_and_the_old_one_beside_it(keyset: FileKeyset) -> None:
    previous = keyset.replace(b"{old}", b"{new}")

    assert keyset.fetch().content == b"{new}"
    assert previous == str(keyset.previous) == f"{keyset.path}.previous"
    assert keyset.previous.read_bytes() == b"{old}"
    assert sorted(path.name for path in keyset.path.parent.iterdir()) == ["keyset.json", "keyset.json.previous"]


def test_the_version_before_is_the_last_one(keyset: FileKeyset) -> None:
    keyset.replace(b"{old}", b"{new}")
    keyset.replace(b"{new}", b"{newer}")

    assert keyset.fetch().content == b"{newer}"
    assert keyset.previous.read_bytes() == b"{new}"


def test_a_file_that_somebody_changed_meanwhile_is_left_alone(keyset: FileKeyset) -> None:
    keyset.replace(b"{old}", b"{theirs}")

    with pytest.raises(KeysetError) as refusal:
        keyset.replace(b"{old}", b"{ours}")

    assert str(refusal.value) == f"keyset {keyset.uri}: {CHANGED_MEANWHILE}"
    assert keyset.fetch().content == b"{theirs}"
    assert keyset.previous.read_bytes() == b"{old}"


def test_a_file_that_somebody_removed_meanwhile_is_not_made_again(keyset: FileKeyset) -> None:
    keyset.path.unlink()

    with pytest.raises(KeysetError, match="No such file or directory"):
        keyset.replace(b"{old}", b"{new}")

    assert list(keyset.path.parent.iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
@pytest.mark.parametrize(("before", "is_private"), [(0o600, True), (0o400, True), (0o644, False), (0o640, False)])
def test_both_versions_have_the_mode_of_the_file_whatever_the_umask(
    keyset: FileKeyset, before: int, is_private: bool, umask: int
) -> None:
    keyset.path.chmod(before)
    usual = os.umask(umask)

    try:
        FileKeyset(keyset.path, is_private=is_private).replace(b"{old}", b"{new}")
    finally:
        os.umask(usual)

    assert mode(keyset.path) == mode(keyset.previous) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_root_replaces_stays_its_owner_s(keyset: FileKeyset) -> None:
    os.chown(keyset.path, 1234, 2345)

    keyset.replace(b"{old}", b"{new}")

    for path in (keyset.path, keyset.previous):
        assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (1234, 2345, 0o600)


def test_a_file_that_others_can_read_is_refused_before_it_is_replaced(keyset: FileKeyset) -> None:
    keyset.path.chmod(0o644)

    with pytest.raises(KeysetError, match=r"others can read it \(mode 0644\)"):
        keyset.replace(b"{old}", b"{new}")

    assert keyset.path.read_bytes() == b"{old}"
    assert not keyset.previous.exists()


def test_a_link_stays_a_link_and_the_file_behind_it_is_replaced(keyset: FileKeyset, tmp_path: Path) -> None:
    link = tmp_path / "links" / "current.json"
    link.parent.mkdir()
    link.symlink_to("../keyset.json")

    previous = FileKeyset(link).replace(b"{old}", b"{new}")

    assert link.is_symlink()
    assert link.read_bytes() == keyset.path.read_bytes() == b"{new}"
    assert previous == str(keyset.previous)
    assert keyset.previous.read_bytes() == b"{old}"
    assert [path.name for path in link.parent.iterdir()] == ["current.json"]


def test_a_link_that_leads_back_to_itself_is_answered_in_one_line(tmp_path: Path) -> None:
    link = tmp_path / "loop.json"
    link.symlink_to(link)

    with pytest.raises(KeysetError) as refusal:
        FileKeyset(link).replace(b"{old}", b"{new}")

    assert str(refusal.value) == f"keyset file:{link}: Too many levels of symbolic links"


@pytest.mark.parametrize(
    ("kind", "count", "kept"),
    [("open", 0, b"{old}"), ("os.rename", 0, b"{old}"), ("os.rename", 1, b"{old}")],
    ids=["before the first write", "before the version before is kept", "before the new version is in place"],
)
def test_a_process_killed_while_it_replaces_leaves_the_file_whole(
    keyset: FileKeyset, kind: str, count: int, kept: bytes
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_AT, keyset.path, kind, str(count)], check=False)

    assert killed.returncode == 9
    assert keyset.fetch().content == kept
    assert all(mode(path) == 0o600 for path in keyset.path.parent.iterdir())
    keyset.replace(kept, b"{newer}")
    assert keyset.fetch().content == b"{newer}"
    assert sorted(path.name for path in keyset.path.parent.iterdir()) == ["keyset.json", "keyset.json.previous"]


def test_of_many_processes_that_change_one_file_none_undoes_what_another_did(keyset: FileKeyset) -> None:
    keyset.path.write_bytes(b"")

    processes = [subprocess.Popen([sys.executable, "-c", ADDS_NUMBERS, keyset.path, name]) for name in "abc"]
    ended = [process.wait(60) for process in processes]

    assert ended == [0, 0, 0]
    words = keyset.fetch().content.decode().split()
    assert sorted(words) == sorted(f"{name}{number}" for name in "abc" for number in range(20))
