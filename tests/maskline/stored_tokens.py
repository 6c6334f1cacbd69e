"""Every token and every sealed body that lies in a database, checked against two implementations of AES-SIV."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from Crypto.Cipher import AES
from tink import daead, json_proto_keyset_format, secret_key_access

from maskline.keys import StoredKeyset
from maskline.postgres.connection import open_connection, transaction
from tests.maskline.keysets import siv

PREFIX_LENGTH = 5
IV_LENGTH = 16
RANDOM_LENGTH = 16
SHORTEST_TOKEN = 28
MAX_CHECKED = 20_000

COLUMNS = (("user_logins", "masked_ip"), ("user_logins", "masked_device_id"), ("rejected_messages", "body"))


class KnownKey:
    """One key of a keyset, in both implementations.

    Args:
        entry: The key as it stands in Tink's JSON, in clear.
    """

    def __init__(self, entry: dict[str, object]) -> None:
        key_data = entry["keyData"]
        assert isinstance(key_data, dict)
        self.key_id = entry["keyId"]
        self._bytes = base64.b64decode(key_data["value"])[2:]
        alone = {"primaryKeyId": self.key_id, "key": [entry]}
        handle = json_proto_keyset_format.parse(json.dumps(alone), secret_key_access.TOKEN)
        self._tink = handle.primitive(daead.DeterministicAead)

    def check(self, ciphertext: bytes, domain: str) -> bytes:
        """Return the clear value; fail unless both implementations encrypt it to the very same bytes.

        Args:
            ciphertext: The token or sealed body.
            domain: Its associated data.
        """
        cipher = AES.new(self._bytes, AES.MODE_SIV)
        cipher.update(domain.encode())
        body = ciphertext[PREFIX_LENGTH:]
        clear = bytes(cipher.decrypt_and_verify(body[IV_LENGTH:], body[:IV_LENGTH]))
        assert ciphertext[PREFIX_LENGTH:] == siv(self._bytes, clear, domain.encode())
        assert ciphertext == self._tink.encrypt_deterministically(clear, domain.encode())
        return clear


def known_keys(stored: StoredKeyset) -> dict[int, KnownKey]:
    """Return the keys of a keyset in clear whose tokens name them, by id."""
    entries = [entry for entry in json.loads(stored.content)["key"] if entry.get("keyData")]
    keys = [KnownKey({**entry, "status": "ENABLED"}) for entry in entries if entry["outputPrefixType"] == "TINK"]
    return {int(str(key.key_id)): key for key in keys}


def stored_values(dsn: str, stored: StoredKeyset) -> dict[str, list[bytes]]:
    """Check what a keyset's keys masked in a database, and return the clear values by domain.

    Of each column that is `MAX_CHECKED` values, whichever the server finds first, for pycryptodome takes its time.

    Fails unless each token and each sealed body is, byte for byte, what Tink's own DeterministicAead and pycryptodome's
    MODE_SIV give.
    """
    keys = known_keys(stored)
    connection = open_connection(dsn)
    with transaction(connection) as cursor:
        values = {
            (table, column): _values(cursor, table, column, keys)
            for table, column in COLUMNS
            if _is_there(cursor, table, column)
        }
    connection.close()
    return {f"{table}.{column}": found for (table, column), found in values.items()}


def _is_there(cursor: Any, table: str, column: str) -> bool:
    """Say whether a table still has a column and its keys' ids; some tests take them away."""
    cursor.execute(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname IN (%s, 'key_id')",
        [table, column],
    )
    return bool(cursor.fetchall() == [(2,)])


def _values(cursor: Any, table: str, column: str, keys: dict[int, KnownKey]) -> list[bytes]:
    if column == "body":
        return _bodies(cursor, keys)
    cursor.execute(f"SELECT {column} FROM {table} WHERE key_id = ANY (%s) LIMIT {MAX_CHECKED}", [list(keys)])
    domain = f"{table}.{column}"
    return [keys[_key_id(ciphertext)].check(ciphertext, domain) for ciphertext in _ciphertexts(cursor)]


def _bodies(cursor: Any, keys: dict[int, KnownKey]) -> list[bytes]:
    """Return the bodies behind their 16 random bytes, each bound to its stream and message."""
    cursor.execute(
        "SELECT 'rejected_messages.body|' || stream || '|' || message_id, body FROM rejected_messages"
        f" WHERE key_id = ANY (%s) LIMIT {MAX_CHECKED}",
        [list(keys)],
    )
    sealed = [(place.replace("|", "\0"), bytes(body)) for place, body in cursor]
    return [keys[_key_id(body)].check(body, place)[RANDOM_LENGTH:] for place, body in sealed]


def _ciphertexts(rows: Iterator[tuple[str | memoryview | None]]) -> Iterator[bytes]:
    for (value,) in rows:
        if isinstance(value, str):
            if len(value) >= SHORTEST_TOKEN:  # what is shorter a test has cut off
                yield base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        elif value is not None:
            yield bytes(value)


def _key_id(ciphertext: bytes) -> int:
    return int.from_bytes(ciphertext[1:PREFIX_LENGTH], "big")
