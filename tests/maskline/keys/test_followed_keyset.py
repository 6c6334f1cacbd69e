"""A keyset that a job follows: the newer version is taken, and an older or another one never."""

from __future__ import annotations

import gc
import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from maskline.errors import KeysetError
from maskline.keys import KeysetUri, create_keyset
from maskline.keys.files import FileKeyset
from maskline.keys.followed_keyset import FollowedKeyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.keyset_store import change_keyset, export_writer
from tests.awaiting import await_until


@pytest.fixture
def file(tmp_path: Path) -> FileKeyset:
    """A keyset in a file."""
    provider = FileKeyset(tmp_path / "keyset.json")
    provider.create(create_keyset())
    return provider


@pytest.fixture
def followed(file: FileKeyset) -> FollowedKeyset:
    """That keyset, which the test reads again by hand."""
    return FollowedKeyset(KeysetUri.parse(file.uri), reading_seconds=3600)


def added(file: FileKeyset) -> int:
    """Add a key and return its id."""
    return change_keyset(file, KeysetEditor.add)[0]


def promoted(file: FileKeyset) -> int:
    """Add a key, make it the primary and return its id."""
    key_id = added(file)
    change_keyset(file, lambda editor: editor.promote(key_id))
    return key_id


def content(file: FileKeyset) -> bytes:
    """Return what is in the file."""
    return file.fetch().content


def put(file: FileKeyset, earlier: bytes) -> None:
    """Put something else in the file."""
    file.replace(content(file), earlier)


def test_a_promoted_key_is_taken_without_a_restart(file: FileKeyset, followed: FollowedKeyset) -> None:
    new = promoted(file)

    followed.read()

    assert followed.keyset.primary_key_id == new


def test_it_is_read_again_by_itself(file: FileKeyset) -> None:
    followed = FollowedKeyset(KeysetUri.parse(file.uri), reading_seconds=0.01)

    new = promoted(file)

    await_until(lambda: followed.keyset.primary_key_id == new, "the new key is taken")


def test_two_rotations_at_once_are_followed(file: FileKeyset, followed: FollowedKeyset) -> None:
    promoted(file)
    newest = promoted(file)

    followed.read()

    assert followed.keyset.primary_key_id == newest


def test_a_destroyed_older_key_changes_nothing_for_the_job(file: FileKeyset, followed: FollowedKeyset) -> None:
    old = followed.keyset.primary_key_id
    new = promoted(file)
    followed.read()
    change_keyset(file, lambda editor: editor.disable(old))
    change_keyset(file, lambda editor: editor.destroy(old))

    followed.read()

    assert (followed.keyset.primary_key_id, followed.keyset.key_ids) == (new, frozenset({new}))


@pytest.mark.parametrize(
    "earlier",
    [
        pytest.param(lambda before_add, _: before_add, id="before the key was added"),
        pytest.param(lambda _, before_promote: before_promote, id="before it was promoted"),
        pytest.param(lambda *_: create_keyset(), id="another keyset"),
    ],
)
def test_it_never_goes_back_in_time(
    file: FileKeyset,
    followed: FollowedKeyset,
    earlier: Callable[[bytes, bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before_add = content(file)
    new = added(file)
    before_promote = content(file)
    change_keyset(file, lambda editor: editor.promote(new))
    followed.read()
    put(file, earlier(before_add, before_promote))

    followed.read()
    followed.read()

    assert followed.keyset.primary_key_id == new
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"is not newer than key {new}, under which this job masks" in warning


def test_what_cannot_be_read_is_warned_of_once_and_the_job_goes_on(
    file: FileKeyset, followed: FollowedKeyset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key_id = followed.keyset.primary_key_id
    (tmp_path / "keyset.json").write_text("cut off")

    followed.read()
    followed.read()

    assert followed.keyset.primary_key_id == key_id
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "is not a Tink keyset in JSON" in warning
    assert "the job goes on with the keyset that it has" in warning


def test_its_thread_ends_with_it(file: FileKeyset) -> None:
    others = set(threading.enumerate())
    followed = FollowedKeyset(KeysetUri.parse(file.uri), reading_seconds=0.01)
    (thread,) = [thread for thread in set(threading.enumerate()) - others if thread.name == "keyset"]

    del followed
    gc.collect()

    thread.join(timeout=30)
    assert not thread.is_alive()


def test_it_stays_in_its_process(followed: FollowedKeyset) -> None:
    with pytest.raises(TypeError, match="an opened keyset stays in this process"):
        pickle.dumps(followed)


def test_a_writers_keyset_masks_like_the_whole_one_and_holds_no_older_key(file: FileKeyset, tmp_path: Path) -> None:
    old = keyset_handle(file.fetch()).keyset_info().primary_key_id
    new = promoted(file)
    writer = FileKeyset(tmp_path / "writer.json")

    export_writer(keyset_handle(file.fetch()), writer)

    keyset = KeysetUri.parse(writer.uri).open()
    assert (keyset.primary_key_id, keyset.key_ids, keyset.history) == (new, frozenset({new}), (old, new))
    assert keyset.encrypt(b"a", b"d") == KeysetUri.parse(file.uri).open().encrypt(b"a", b"d")
    assert content(writer).count(b'"value"') == 1


def test_a_job_follows_a_writers_keyset_that_is_exported_anew(file: FileKeyset, tmp_path: Path) -> None:
    writer = FileKeyset(tmp_path / "writer.json")
    export_writer(keyset_handle(file.fetch()), writer)
    followed = FollowedKeyset(KeysetUri.parse(writer.uri), reading_seconds=3600)
    new = promoted(file)

    export_writer(keyset_handle(file.fetch()), writer)
    followed.read()

    assert followed.keyset.key_ids == {new}


def test_an_export_never_replaces_a_keyset_that_is_none_of_its_own(file: FileKeyset, tmp_path: Path) -> None:
    promoted(file)
    whole, another = content(file), FileKeyset(tmp_path / "another.json")
    another.create(create_keyset())
    before = content(another)

    for target in (file, another):
        with pytest.raises(KeysetError, match="is no earlier export of this keyset, and is left alone"):
            export_writer(keyset_handle(file.fetch()), target)

    assert (content(file), content(another)) == (whole, before)


def test_another_key_that_has_the_id_of_one_is_not_taken_for_it(
    file: FileKeyset, followed: FollowedKeyset, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(file)
    new = promoted(file)
    stored, forged = json.loads(content(file)), json.loads(create_keyset())
    stored["key"][0]["keyData"] = forged["key"][0]["keyData"]
    put(file, json.dumps(stored).encode())

    followed.read()

    assert followed.keyset.primary_key_id == json.loads(before)["primaryKeyId"] != new
    assert "a key in it has the id of one of this job's and is another" in caplog.text
