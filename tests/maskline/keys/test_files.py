"""A keyset's file is read if nobody else could have read it, and is never overwritten by a new one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.errors import KeysetError, Remedy
from maskline.keys import StoredKeyset, open_keyset
from maskline.keys.files import FileKeyset


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The process's umask for the time of a test."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def keyset_file(path: Path, mode: int) -> FileKeyset:
    """Return the provider of a file of some mode."""
    path.write_bytes(b"{the keyset}")
    path.chmod(mode)
    return FileKeyset(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_only_its_owner_can_read_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keyset.json"

    stored = keyset_file(path, mode).fetch()

    assert stored == StoredKeyset(b"{the keyset}", f"file:{path}")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o660, 0o777])
def test_a_file_that_others_can_use_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "our keyset.json"
    provider = keyset_file(path, mode)

    with pytest.raises(KeysetError) as refusal:
        provider.fetch()

    assert str(refusal.value) == (f"keyset file:{path}: others can read it (mode {mode:04o}); run: chmod 600 '{path}'")


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o703])
def test_a_directory_that_others_can_write_to_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "our keys"
    directory.mkdir()
    directory.chmod(mode)
    provider = keyset_file(directory / "keyset.json", 0o600)

    with pytest.raises(KeysetError) as refusal:
        provider.fetch()

    assert str(refusal.value) == (
        f"keyset file:{directory}/keyset.json: others can put another keyset into its directory; "
        f"run: chmod go-w '{directory}'"
    )


def test_a_link_is_judged_by_the_directory_of_the_file_behind_it(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    directory.mkdir()
    keyset_file(directory / "keyset.json", 0o600)
    directory.chmod(0o777)
    link = tmp_path / "link.json"
    link.symlink_to(directory / "keyset.json")

    with pytest.raises(KeysetError, match="others can put another keyset into its directory"):
        FileKeyset(link).fetch()


@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o700, 0o500, 0o775])
def test_a_directory_where_nobody_else_can_replace_the_file_will_do(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "keys"
    directory.mkdir()  # of the group of this process's user, which many systems give nobody else
    provider = keyset_file(directory / "keyset.json", 0o600)
    directory.chmod(mode)

    assert provider.fetch().content == b"{the keyset}"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, which can give files away")
@pytest.mark.parametrize(
    ("given_away", "complaint"),
    [
        ("keys/keyset.json", "belongs to user 65534, who can read and change it; give it to the user that runs this"),
        ("keys", r"its directory .*/keys belongs to user 65534, who can put another keyset there"),
    ],
)
def test_a_file_or_directory_of_another_user_is_refused(
    tmp_path: Path, given_away: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    provider = keyset_file(tmp_path / "keys" / "keyset.json", 0o600)
    for path in (tmp_path / "keys", tmp_path / "keys" / "keyset.json"):
        os.chown(path, 1234, -1)
    os.chown(tmp_path / given_away, 65534, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)

    with pytest.raises(KeysetError, match=complaint):
        provider.fetch()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, which can give files away")
def test_root_reads_the_keyset_of_any_user(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    provider = keyset_file(tmp_path / "keys" / "keyset.json", 0o600)
    os.chown(tmp_path / "keys", 1234, -1)
    os.chown(tmp_path / "keys" / "keyset.json", 1234, -1)

    assert provider.fetch().content == b"{the keyset}"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, which can give files away")
def test_a_directory_that_another_group_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    provider = keyset_file(tmp_path / "keys" / "keyset.json", 0o600)
    os.chown(tmp_path / "keys", -1, 65534)
    (tmp_path / "keys").chmod(0o770)

    with pytest.raises(KeysetError, match="others can put another keyset into its directory"):
        provider.fetch()


def test_a_keyset_that_a_kms_key_encrypts_may_lie_anywhere(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    keyset_file(tmp_path / "keys" / "keyset.json", 0o644)
    (tmp_path / "keys").chmod(0o777)

    assert FileKeyset(tmp_path / "keys" / "keyset.json", is_private=False).fetch().content == b"{the keyset}"


def test_a_link_is_judged_by_the_file_behind_it(tmp_path: Path) -> None:
    keyset_file(tmp_path / "keyset.json", 0o644)
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "keyset.json")

    with pytest.raises(KeysetError, match=r"others can read it \(mode 0644\)"):
        FileKeyset(link).fetch()


def test_a_missing_file_is_answered_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "absent.json"

    with pytest.raises(KeysetError) as refusal:
        FileKeyset(path).fetch()

    assert str(refusal.value) == f"keyset file:{path}: No such file or directory"
    assert refusal.value.remedy is Remedy.CREATE_KEYSET


def test_a_directory_is_not_a_keyset(tmp_path: Path) -> None:
    with pytest.raises(KeysetError, match="Is a directory"):
        FileKeyset(tmp_path).fetch()


def test_a_new_file_holds_the_keyset_and_opens(tmp_path: Path, stored_keyset: StoredKeyset) -> None:
    provider = FileKeyset(tmp_path / "keyset.json")

    provider.create(stored_keyset.content)

    assert provider.fetch().content == stored_keyset.content
    assert open_keyset(provider.fetch()).primary_key_id == open_keyset(stored_keyset).primary_key_id


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o377, 0o777], indirect=True)
def test_a_new_file_is_for_its_owner_alone_under_any_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "keyset.json"

    FileKeyset(path).create(b"{the keyset}")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    provider = keyset_file(tmp_path / "keyset.json", 0o600)

    with pytest.raises(KeysetError) as refusal:
        provider.create(b"{another keyset}")

    assert str(refusal.value) == (
        f"keyset {provider.uri}: exists already and is not overwritten; without it nothing it masked could be recovered"
    )
    assert provider.path.read_bytes() == b"{the keyset}"


def test_a_dangling_link_is_never_written_through(tmp_path: Path) -> None:
    link = tmp_path / "keyset.json"
    link.symlink_to(tmp_path / "elsewhere.json")

    with pytest.raises(KeysetError, match="exists already"):
        FileKeyset(link).create(b"{the keyset}")

    assert not (tmp_path / "elsewhere.json").exists()


def test_a_file_in_a_directory_that_is_not_there_cannot_be_made(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "keyset.json"

    with pytest.raises(KeysetError) as refusal:
        FileKeyset(path).create(b"{the keyset}")

    told = f"keyset file:{path}: the directory {tmp_path / 'absent'} is not there; make it first"
    assert str(refusal.value) == told


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o600])
def test_an_encrypted_keyset_may_be_read_by_others(tmp_path: Path, mode: int) -> None:
    path = keyset_file(tmp_path / "keyset.json", mode).path

    stored = FileKeyset(path, is_private=False).fetch()

    assert stored.content == b"{the keyset}"


def test_a_new_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    FileKeyset(tmp_path / "keyset.json").create(b"{the keyset}")

    assert [path.name for path in tmp_path.iterdir()] == ["keyset.json"]


def test_a_file_that_could_not_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    provider = keyset_file(tmp_path / "keyset.json", 0o600)

    with pytest.raises(KeysetError, match="exists already"):
        provider.create(b"{another keyset}")

    assert [path.name for path in tmp_path.iterdir()] == ["keyset.json"]


def test_what_a_killed_process_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    (tmp_path / "keyset.json.new").write_bytes(b"{half a")

    FileKeyset(tmp_path / "keyset.json").create(b"{the keyset}")

    assert (tmp_path / "keyset.json").read_bytes() == b"{the keyset}"
    assert [path.name for path in tmp_path.iterdir()] == ["keyset.json"]


def test_a_link_in_the_place_of_the_half_written_file_is_never_written_through(tmp_path: Path) -> None:
    (tmp_path / "keyset.json.new").symlink_to(tmp_path / "elsewhere.json")

    FileKeyset(tmp_path / "keyset.json").create(b"{the keyset}")

    assert not (tmp_path / "elsewhere.json").exists()
    assert not (tmp_path / "keyset.json").is_symlink()


@pytest.mark.parametrize("path", [".", "/", "a\0b"], ids=["here", "the root", "a null byte"])
def test_what_is_no_path_of_a_file_is_answered_in_one_line(path: str) -> None:
    with pytest.raises(KeysetError) as refusal:
        FileKeyset(Path(path)).create(b"{the keyset}")

    assert str(refusal.value) == f"keyset file:{path}: not a path"
