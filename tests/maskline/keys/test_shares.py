"""Enough shares open a keyset's backup, fewer open nothing, and what is not a sound share of it is told from one."""

from __future__ import annotations

import itertools
import traceback

import pytest
from Crypto.Protocol.SecretSharing import Shamir

from maskline.errors import KeysetError, UsageError
from maskline.keys.keyset import Keyset, keyset_handle
from maskline.keys.shares import Share, backup_fingerprint, combine_shares, split_keyset
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, siv, stored

HANDLE = keyset_handle(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=7))
SPLIT = split_keyset(HANDLE, 5, 3)
OTHER_SPLIT = split_keyset(HANDLE, 5, 3)
SECRET = Shamir.combine([(share.number, share.secret) for share in SPLIT.shares[:3]])
DAMAGED = "share 2.txt: was damaged, for its checksum does not fit; compare it with the original"
NO_SHARE = "share 2.txt: is not a whole share; it is one line that begins with MASKLINE-SHARE-"
NOT_OPENED = "shares: do not open this backup; one of them was forged, or the backup damaged"


def refusal_of(backup: bytes, *shares: Share) -> str:
    """Return why shares are refused, once it is sure that the refusal holds no secret."""
    with pytest.raises(KeysetError) as refusal:
        combine_shares(backup, shares)
    assert_no_secret_in("".join(traceback.format_exception(refusal.value)), *shares)
    return str(refusal.value)


def refusal_of_text(text: str) -> str:
    """Return why a text is not taken for a share."""
    with pytest.raises(KeysetError) as refusal:
        Share.parse(text, "2.txt")
    assert_no_secret_in("".join(traceback.format_exception(refusal.value)), *SPLIT.shares)
    return str(refusal.value)


def assert_no_secret_in(shown: str, *shares: Share) -> None:
    """Look for a share's secret in its own forms."""
    for share in shares:
        assert share.text.split("-")[8] not in shown
        assert share.secret.hex() not in shown
        assert repr(share.secret) not in shown


def forged(share: Share, **changes: object) -> Share:
    """Return a share in which somebody changed something, and made its checksum fit."""
    fields = {"number", "shares", "threshold", "fingerprint", "secret"}
    values = {name: changes.get(name, getattr(share, name)) for name in fields}
    return Share.parse(Share(**values).text, "forged.txt")  # type: ignore[arg-type]


@pytest.mark.parametrize("chosen", [*itertools.permutations(range(5), 3)])
def test_any_three_of_five_shares_in_any_order_open_the_backup(chosen: tuple[int, ...]) -> None:
    recovered = combine_shares(SPLIT.backup, [SPLIT.shares[index] for index in chosen])

    ciphertext = b"\x01\x00\x00\x00\x07" + siv(KEY, b"clear", b"domain")
    assert Keyset(recovered).encrypt(b"clear", b"domain") == ciphertext
    assert Keyset(recovered).decrypt(b"\x01\x00\x00\x00\x08" + siv(OTHER_KEY, b"old", b"domain"), b"domain") == b"old"


@pytest.mark.parametrize(("shares", "threshold"), [(2, 2), (3, 2), (3, 3), (10, 9), (255, 2), (16, 16)])
def test_every_number_of_shares_and_every_threshold_open_the_backup(shares: int, threshold: int) -> None:
    split = split_keyset(HANDLE, shares, threshold)

    recovered = combine_shares(split.backup, split.shares[-threshold:])

    assert [share.number for share in split.shares] == list(range(1, shares + 1))
    assert Keyset(recovered).primary_key_id == 7


def test_shares_beyond_the_threshold_are_welcome() -> None:
    assert Keyset(combine_shares(SPLIT.backup, SPLIT.shares)).primary_key_id == 7


@pytest.mark.parametrize("number", [0, 1, 2])
def test_too_few_shares_are_told_how_many_it_takes(number: int) -> None:
    why = refusal_of(SPLIT.backup, *SPLIT.shares[:number])

    assert why == ("shares: none given" if number == 0 else f"shares: it takes 3 of 5, and {number} were given")


@pytest.mark.parametrize("pair", [*itertools.combinations(range(5), 2)])
def test_two_of_three_shares_do_not_open_the_backup_even_where_nobody_counts_them(pair: tuple[int, int]) -> None:
    two = [forged(SPLIT.shares[index], threshold=2) for index in pair]

    why = refusal_of(SPLIT.backup, *two)

    assert why == NOT_OPENED + "; with a share more it can be told which"


@pytest.mark.heavy
def test_two_of_three_shares_leave_every_secret_as_likely_as_any_other() -> None:
    known = [(share.number, share.secret) for share in SPLIT.shares[:2]]

    with_third = {Shamir.combine([*known, (3, bytes([guess]) * 16)]) for guess in range(256)}

    assert len(with_third) == 256
    assert SECRET not in with_third


@pytest.mark.parametrize(("shares", "threshold"), [(5, 6), (5, 1), (5, 0), (1, 1), (1, 2), (0, 0), (256, 3), (5, -3)])
def test_numbers_that_make_no_split_are_refused(shares: int, threshold: int) -> None:
    with pytest.raises(UsageError) as refusal:
        split_keyset(HANDLE, shares, threshold)

    assert str(refusal.value) == (
        f"shares is {shares} and threshold {threshold}; it takes 2 <= threshold <= shares <= 255"
    )


def test_a_share_is_a_line_of_text_that_says_what_it_is_of() -> None:
    share = Share(2, 5, 3, "LBFG6KO7II7MXCD7", bytes(range(16)))

    assert share.text == "MASKLINE-SHARE-2-OF-5-ANY-3-LBFG6KO7II7MXCD7-AAAQEAYEAUDAOCAJBIFQYDIOB4-6IKRSOY"
    assert Share.parse(share.text, "2.txt") == share


def test_a_share_that_was_copied_by_hand_is_read_in_small_letters_and_in_several_lines() -> None:
    text = SPLIT.shares[1].text.lower()

    share = Share.parse(f"  {text[:40]}\n {text[40:60]} {text[60:]}\r\n", "2.txt")

    assert share == SPLIT.shares[1]


@pytest.mark.heavy
def test_a_share_with_any_character_changed_is_never_taken_for_one() -> None:
    text = SPLIT.shares[1].text

    for place in range(len(text)):
        for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-?":
            if character != text[place]:
                why = refusal_of_text(text[:place] + character + text[place + 1 :])
                assert why in (DAMAGED, NO_SHARE)


def test_a_share_whose_characters_changed_places_or_got_lost_is_never_taken_for_one() -> None:
    text = SPLIT.shares[1].text

    for place in range(len(text) - 1):
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        for each in {swapped, text[:place] + text[place + 1 :], text[:place], text[:place] + text[place:] + "A"}:
            assert each == text or refusal_of_text(each) in (DAMAGED, NO_SHARE)


def test_a_damaged_share_and_what_is_none_get_a_line_each() -> None:
    text = SPLIT.shares[1].text
    other = "A" if text[50] != "A" else "B"

    assert refusal_of_text(text[:50] + other + text[51:]) == DAMAGED
    assert refusal_of_text(text.replace("OF-5", "OF-6")) == DAMAGED
    assert refusal_of_text(text[:-1]) == NO_SHARE
    assert refusal_of_text("") == NO_SHARE
    assert refusal_of_text(SPLIT.backup.decode()) == NO_SHARE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": 0}, "share 0 of 5, any 3"),
        ({"number": 6}, "share 6 of 5, any 3"),
        ({"threshold": 0}, "share 1 of 5, any 0"),
        ({"threshold": 1}, "share 1 of 5, any 1"),
        ({"threshold": 6}, "share 1 of 5, any 6"),
        ({"shares": 256}, "share 1 of 256, any 3"),
    ],
)
def test_a_share_that_no_split_makes_is_refused_whatever_its_checksum(changes: dict[str, object], said: str) -> None:
    with pytest.raises(KeysetError) as refusal:
        forged(SPLIT.shares[0], **changes)

    assert str(refusal.value) == f"share forged.txt: was forged; no split makes {said}"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_forged_share_with_a_right_checksum_opens_nothing(place: int) -> None:
    shares = list(SPLIT.shares[:3])
    shares[place] = forged(shares[place], secret=bytes(16))

    why = refusal_of(SPLIT.backup, *shares)

    assert why == NOT_OPENED + "; with a share more it can be told which"


@pytest.mark.parametrize("place", range(5))
def test_a_forged_share_among_more_than_it_takes_is_noticed(place: int) -> None:
    shares = list(SPLIT.shares)
    shares[place] = forged(shares[place], secret=bytes(16))

    why = refusal_of(SPLIT.backup, *shares)

    assert why == (
        f"share {place + 1}: was forged; the others open the backup: leave it out, and find out who had a hand in it"
    )


@pytest.mark.parametrize("place", range(4))
def test_one_share_more_than_it_takes_is_enough_to_name_the_forged_one(place: int) -> None:
    shares = list(SPLIT.shares[:4])
    shares[place] = forged(shares[place], secret=bytes(16))

    why = refusal_of(SPLIT.backup, *shares)

    assert why.startswith(f"share {place + 1}: was forged; the others open the backup")


@pytest.mark.parametrize("pair", [*itertools.combinations(range(5), 2)])
def test_all_forged_shares_are_named_while_enough_are_genuine(pair: tuple[int, int]) -> None:
    shares = [forged(share, secret=bytes(16)) if place in pair else share for place, share in enumerate(SPLIT.shares)]

    why = refusal_of(SPLIT.backup, *shares)

    first, second = (place + 1 for place in pair)
    assert why.startswith(f"shares {first}, {second}: were forged; the others open the backup: leave them out")


def test_a_share_that_says_something_else_of_the_split_than_the_others_is_named() -> None:
    why = refusal_of(SPLIT.backup, *SPLIT.shares[:3], forged(SPLIT.shares[3], threshold=2))

    assert why == "shares: say different things of one split; those of 4 differ from the others'"


def test_shares_of_two_splits_of_one_keyset_do_not_fit_together() -> None:
    ours, theirs = backup_fingerprint(SPLIT.backup), backup_fingerprint(OTHER_SPLIT.backup)

    why = refusal_of(SPLIT.backup, SPLIT.shares[0], SPLIT.shares[1], OTHER_SPLIT.shares[2])

    assert ours != theirs
    assert why == f"shares 1 and 3: are of different splits, {ours} and {theirs}; only shares of one split fit together"


def test_the_backup_of_another_split_is_told_from_the_one_that_the_shares_open() -> None:
    ours, theirs = backup_fingerprint(SPLIT.backup), backup_fingerprint(OTHER_SPLIT.backup)

    why = refusal_of(OTHER_SPLIT.backup, *SPLIT.shares[:3])

    assert why == (
        f"backup: has the fingerprint {theirs}, and the shares are of {ours}; find the one that was made with them"
    )


def test_shares_forged_to_fit_another_backup_do_not_open_it() -> None:
    theirs = backup_fingerprint(OTHER_SPLIT.backup)

    why = refusal_of(OTHER_SPLIT.backup, *(forged(share, fingerprint=theirs) for share in SPLIT.shares[:3]))

    assert why == NOT_OPENED + "; with a share more it can be told which"


@pytest.mark.parametrize(
    "backup",
    [b"", b"{}", b"\xff", b"null", SPLIT.backup[:-40], SPLIT.backup.replace(b"=", b"A")],
    ids=["empty", "no keyset", "not UTF-8", "null", "cut off", "altered"],
)
def test_a_damaged_backup_opens_to_nothing_even_if_its_fingerprint_fits(backup: bytes) -> None:
    shares = [forged(share, fingerprint=backup_fingerprint(backup)) for share in SPLIT.shares[:3]]

    assert refusal_of(backup, *shares).startswith(NOT_OPENED)


def test_a_share_given_twice_counts_once_and_is_named() -> None:
    again = forged(SPLIT.shares[1], secret=bytes(16))

    assert refusal_of(SPLIT.backup, *SPLIT.shares[:3], SPLIT.shares[1]) == "share 2: is given twice"
    assert refusal_of(SPLIT.backup, SPLIT.shares[0], SPLIT.shares[1], again) == "share 2: is given twice"


def test_neither_the_backup_nor_any_repr_holds_a_key_or_a_secret() -> None:
    key = stored(aes_siv_key(7), primary=7).content

    shown = repr(SPLIT) + str(SPLIT) + "".join(repr(share) + str(share) for share in SPLIT.shares)

    assert repr(SPLIT.shares[1]) == f"Share(2 of 5, any 3, {backup_fingerprint(SPLIT.backup)})"
    assert_no_secret_in(shown, *SPLIT.shares)
    assert b"EkAAAQIDBAUGBwgJCgsMDQ4P" in key, "the key of 00 01 … 3f as base64 is found"
    assert b"EkAAAQIDBAUGBwgJCgsMDQ4P" not in SPLIT.backup


def test_two_splits_of_one_keyset_share_different_secrets() -> None:
    other_secret = Shamir.combine([(share.number, share.secret) for share in OTHER_SPLIT.shares[:3]])

    assert other_secret != SECRET
