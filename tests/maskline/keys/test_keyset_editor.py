"""Every step of a rotation leaves the other keys, and what they masked, as they were."""

from __future__ import annotations

import base64
import json
import pickle
import secrets
import traceback
from collections.abc import Callable

import pytest

from maskline.errors import TokenError, UsageError
from maskline.keys import StoredKeyset, open_keyset
from maskline.keys.keyset import Keyset, keyset_handle, new_keyset_handle, serialize_keyset
from maskline.keys.keyset_editor import KeyInfo, KeysetEditor
from maskline.masks.deterministic import Masker
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, reference_token, siv, stored

IP = "user_logins.masked_ip"
THIRD_KEY = bytes(range(190, 254))
KEY_IN_BASE64, OTHER_KEY_IN_BASE64 = base64.b64encode(b"\x12\x40" + KEY), base64.b64encode(b"\x12\x40" + OTHER_KEY)


@pytest.fixture
def editor() -> KeysetEditor:
    """A keyset of key 7, the primary, and key 8."""
    return editor_of(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=7)


def editor_of(*keys: dict[str, object], primary: int) -> KeysetEditor:
    """Return an editor of a keyset of known keys."""
    return KeysetEditor(keyset_handle(stored(*keys, primary=primary)))


def masker_of(editor: KeysetEditor) -> Masker:
    """Return what masks with the keyset as it is stored and read again."""
    return Masker(open_keyset(StoredKeyset(serialize_keyset(editor.handle()), "test:edited")))


def ids_of(editor: KeysetEditor) -> list[int]:
    """Return the ids of the keys in their order."""
    described = editor.keys()
    return [key.key_id for key in described]


def refusal_of(step: Callable[[], object]) -> str:
    """Return why a step is refused."""
    with pytest.raises(UsageError) as refusal:
        step()
    return str(refusal.value)


def test_keys_are_described_without_their_bytes(editor: KeysetEditor) -> None:
    editor.disable(8)
    raw = editor.import_key(THIRD_KEY, is_raw=True)

    assert editor.keys() == [
        KeyInfo(7, "enabled", "tink", is_primary=True),
        KeyInfo(8, "disabled", "tink", is_primary=False),
        KeyInfo(raw, "enabled", "raw", is_primary=False),
    ]


def test_an_added_key_is_not_yet_the_primary_and_what_was_masked_is_still_made_and_read(editor: KeysetEditor) -> None:
    token = reference_token(KEY, 7, "203.0.113.7", IP)

    added = editor.add()

    assert editor.keys()[-1] == KeyInfo(added, "enabled", "tink", is_primary=False)
    assert masker_of(editor).mask("203.0.113.7", IP) == token
    assert masker_of(editor).unmask(token, IP) == "203.0.113.7"
    assert masker_of(editor).unmask(reference_token(OTHER_KEY, 8, "203.0.113.7", IP), IP) == "203.0.113.7"


def test_added_keys_are_random_and_their_ids_are_read_by_java_too(editor: KeysetEditor) -> None:
    added = [editor.add() for _ in range(20)]

    keys = {key["keyData"]["value"] for key in json.loads(serialize_keyset(editor.handle()))["key"]}

    assert len(keys) == 22
    assert len({7, 8, *added}) == 22
    assert all(1 <= key_id <= 2_147_483_647 for key_id in added)


def test_a_new_id_is_never_one_that_is_in_use(editor: KeysetEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([6, 7, 6, 8])  # each one less than the id it makes
    monkeypatch.setattr("maskline.keys.keyset_editor.secrets.randbelow", lambda below: next(drawn))

    added = editor.add()

    assert added == 9
    assert ids_of(editor) == [7, 8, 9]


def test_a_promoted_key_masks_and_the_one_before_still_unmasks(editor: KeysetEditor) -> None:
    old = reference_token(KEY, 7, "203.0.113.7", IP)

    editor.promote(8)

    assert editor.keys()[1] == KeyInfo(8, "enabled", "tink", is_primary=True)
    assert not editor.keys()[0].is_primary
    assert masker_of(editor).mask("203.0.113.7", IP) == reference_token(OTHER_KEY, 8, "203.0.113.7", IP)
    assert masker_of(editor).unmask(old, IP) == "203.0.113.7"


def test_a_disabled_key_unmasks_no_more_until_it_is_enabled_again(editor: KeysetEditor) -> None:
    token = reference_token(OTHER_KEY, 8, "203.0.113.7", IP)

    editor.disable(8)
    with pytest.raises(TokenError, match="was made with key 8, and this keyset"):
        masker_of(editor).unmask(token, IP)
    editor.enable(8)

    assert masker_of(editor).unmask(token, IP) == "203.0.113.7"


def test_a_destroyed_key_is_gone_and_the_others_stay(editor: KeysetEditor) -> None:
    assert OTHER_KEY_IN_BASE64 in serialize_keyset(editor.handle())

    editor.destroy(8)

    left = serialize_keyset(editor.handle())
    assert OTHER_KEY_IN_BASE64[:40] not in left
    assert KEY_IN_BASE64 in left
    assert editor.keys() == [KeyInfo(7, "enabled", "tink", is_primary=True)]
    with pytest.raises(TokenError, match="was made with key 8"):
        masker_of(editor).unmask(reference_token(OTHER_KEY, 8, "203.0.113.7", IP), IP)


def test_an_imported_key_reads_what_tink_masked_elsewhere_under_the_id_it_gets(editor: KeysetEditor) -> None:
    imported = editor.import_key(THIRD_KEY, is_raw=False)

    token = reference_token(THIRD_KEY, imported, "203.0.113.7", IP)

    assert masker_of(editor).unmask(token, IP) == "203.0.113.7"
    editor.promote(imported)
    assert masker_of(editor).mask("203.0.113.7", IP) == token


def test_a_raw_key_reads_plain_aes_siv_and_leaves_masking_as_it_was(editor: KeysetEditor) -> None:
    editor.import_key(THIRD_KEY, is_raw=True)

    plain = siv(THIRD_KEY, b"203.0.113.7", IP.encode()).hex()

    assert masker_of(editor).unmask(plain, IP) == "203.0.113.7"
    assert masker_of(editor).mask("203.0.113.7", IP) == reference_token(KEY, 7, "203.0.113.7", IP)


@pytest.mark.parametrize("length", [0, 32, 63, 65, 128])
def test_a_key_of_another_length_is_not_imported(editor: KeysetEditor, length: int) -> None:
    why = refusal_of(lambda: editor.import_key(bytes(length), is_raw=True))

    assert why == f"key: is {length} bytes long; AES256_SIV takes 64"
    assert len(editor.keys()) == 2


def test_a_key_that_is_there_already_is_not_imported_a_second_time(editor: KeysetEditor) -> None:
    raw = editor.import_key(THIRD_KEY, is_raw=True)

    assert refusal_of(lambda: editor.import_key(KEY, is_raw=False)) == "key: is in the keyset already, as key 7"
    assert refusal_of(lambda: editor.import_key(THIRD_KEY, is_raw=True)) == (
        f"key: is in the keyset already, as key {raw}"
    )
    assert len(editor.keys()) == 3


def test_a_key_may_be_there_to_mask_and_to_read_plain_aes_siv(editor: KeysetEditor) -> None:
    editor.import_key(KEY, is_raw=True)

    masker = masker_of(editor)

    assert masker.unmask(siv(KEY, b"203.0.113.7", IP.encode()).hex(), IP) == "203.0.113.7"
    assert masker.unmask(reference_token(KEY, 7, "203.0.113.7", IP), IP) == "203.0.113.7"


@pytest.mark.parametrize("step", ["promote", "enable", "disable", "destroy"])
def test_a_key_that_is_not_there_is_answered_with_those_that_are(editor: KeysetEditor, step: str) -> None:
    why = refusal_of(lambda: getattr(editor, step)(9))

    assert why == "key 9: is not in the keyset; it has: 7, 8"


@pytest.mark.parametrize(("step", "done"), [("disable", "disabled"), ("destroy", "destroyed")])
def test_the_primary_is_never_taken_away(editor: KeysetEditor, step: str, done: str) -> None:
    why = refusal_of(lambda: getattr(editor, step)(7))

    assert why == f"key 7: is the primary and cannot be {done}; promote another one first"
    assert editor.keys()[0] == KeyInfo(7, "enabled", "tink", is_primary=True)
    assert KEY_IN_BASE64 in serialize_keyset(editor.handle())


def test_only_an_enabled_key_becomes_the_primary(editor: KeysetEditor) -> None:
    editor.disable(8)

    why = refusal_of(lambda: editor.promote(8))

    assert why == "key 8: is disabled; only an enabled key can be the primary"
    assert editor.keys()[0].is_primary


def test_a_raw_key_never_becomes_the_primary(editor: KeysetEditor) -> None:
    raw = editor.import_key(THIRD_KEY, is_raw=True)

    why = refusal_of(lambda: editor.promote(raw))

    assert why == f"key {raw}: reads plain AES-SIV; its tokens would not name the key that made them"
    assert editor.keys()[0].is_primary


@pytest.mark.parametrize("step", ["enable", "disable"])
def test_nothing_brings_a_key_back_that_another_tool_destroyed(step: str) -> None:
    destroyed = {"keyId": 8, "status": "DESTROYED", "outputPrefixType": "TINK"}
    editor = editor_of(aes_siv_key(7), destroyed, primary=7)

    why = refusal_of(lambda: getattr(editor, step)(8))

    assert why == "key 8: was destroyed, and nothing brings it back"
    assert editor.keys()[1].state == "destroyed"


def test_the_handle_that_was_started_from_stays_as_it_is() -> None:
    handle = keyset_handle(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=7))

    KeysetEditor(handle).destroy(8)

    assert Keyset(handle).key_ids == {7, 8}


def test_the_order_of_the_keys_is_kept_and_ids_above_those_of_java_stay() -> None:
    editor = editor_of(aes_siv_key(4_294_967_295), aes_siv_key(8, OTHER_KEY), primary=8)

    editor.disable(4_294_967_295)

    assert ids_of(editor) == [4_294_967_295, 8]


def test_no_step_shows_a_key_in_its_repr_or_its_traceback(editor: KeysetEditor) -> None:
    with pytest.raises(UsageError) as refusal:
        editor.import_key(KEY, is_raw=False)

    shown = "".join(traceback.format_exception(refusal.value)) + repr(editor) + str(editor) + repr(editor.keys())
    for key in (KEY, OTHER_KEY):
        for form in (base64.b64encode(key).decode(), key.hex(), repr(key)[2:-1], str(list(key))[1:-1]):
            assert form[:24] not in shown


def test_a_keyset_that_is_being_changed_refuses_to_leave_its_process() -> None:
    editor = KeysetEditor(keyset_handle(stored(aes_siv_key(7), primary=7)))

    with pytest.raises(TypeError, match="a keyset that is being changed stays in this process"):
        pickle.dumps(editor)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (bytes(64), "its two halves are the same"),
        (bytes(range(32)) * 2, "its two halves are the same"),
        (bytes(range(32)) + bytes(32), "repeats itself too much to be random"),
        (bytes(32) + bytes(range(32)), "repeats itself too much to be random"),
        (bytes(range(16)) * 2 + bytes(range(16, 32)) * 2, "repeats itself too much to be random"),
        (b"0123456789abcdef" * 3 + b"fedcba9876543210", "repeats itself too much to be random"),
        (b"changeme" * 4 + b"CHANGEME" * 4, "repeats itself too much to be random"),
    ],
    ids=["zeros", "equal halves", "half of zeros", "other half of zeros", "repeated bytes", "digits", "a word"],
)
@pytest.mark.parametrize("is_raw", [True, False])
def test_a_key_that_nobody_drew_at_random_is_refused(key: bytes, why: str, is_raw: bool) -> None:
    editor = KeysetEditor(new_keyset_handle())

    with pytest.raises(UsageError, match=why):
        editor.import_key(key, is_raw=is_raw)

    assert not editor.is_changed


def test_random_keys_are_taken() -> None:
    editor = KeysetEditor(new_keyset_handle())

    for _ in range(1_000):
        editor.import_key(secrets.token_bytes(64), is_raw=True)
