"""A backup and shares that lie in a safe open with every later version."""

from __future__ import annotations

from pathlib import Path

from maskline.keys.keyset import Keyset
from maskline.keys.shares import Share, combine_shares
from tests.maskline.keysets import KEY, siv

SAFE = Path(__file__).with_name("golden")


def test_a_backup_of_the_first_version_opens_with_its_shares() -> None:
    shares = [Share.parse(line, "shares.txt") for line in (SAFE / "shares.txt").read_text().splitlines()]

    keyset = Keyset(combine_shares((SAFE / "backup.json").read_bytes(), shares))

    assert [(share.number, share.shares, share.threshold) for share in shares] == [(1, 5, 3), (3, 5, 3), (5, 5, 3)]
    assert keyset.encrypt(b"clear", b"domain") == b"\x01\x00\x00\x00\x07" + siv(KEY, b"clear", b"domain")
