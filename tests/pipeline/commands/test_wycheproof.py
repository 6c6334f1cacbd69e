"""All of Wycheproof's AES-SIV vectors for keys of 512 bits, through ``keys import`` and ``unmask``."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
import tink

from maskline.masks.tokens import encode_token
from maskline.pipeline.cli import main
from maskline.streams.definition import StreamDefinition, load_stream
from tests.maskline.masks.wycheproof import Vector, vectors
from tests.pipeline.commands.keys.conftest import opened

VECTORS = vectors()


@pytest.fixture
def key_ids(keyset_uri: str, tmp_path: Path) -> dict[tuple[bytes, str], int]:
    """Import every key of the vectors, in both ways, and return the ids they got."""
    file, ids = tmp_path / "imported.key", {}
    file.touch(mode=0o600)
    for key in dict.fromkeys(vector.key for vector in VECTORS):
        file.write_bytes(key)
        for prefix in ("raw", "tink"):
            assert main(["keys", "import", f"--keyset={keyset_uri}", str(file), f"--output_prefix={prefix}"]) == 0
            keyset = json.loads(Path(keyset_uri.removeprefix("file:")).read_text())
            ids[key, prefix] = int(keyset["key"][-1]["keyId"])
    return ids


def test_the_group_is_whole() -> None:
    assert len(VECTORS) == 147
    assert sum(vector.is_valid for vector in VECTORS) == 39


def test_unmask_gives_each_valid_value_and_no_other(
    dsn: str,
    keyset_uri: str,
    key_ids: dict[tuple[bytes, str], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    by_domain: dict[str, list[Vector]] = defaultdict(list)
    for vector in VECTORS:
        if is_text(vector.associated_data):
            by_domain[vector.associated_data.decode()].append(vector)
    assert sum(map(len, by_domain.values())) == 119

    for domain, of_domain in by_domain.items():
        # A definition takes no empty domain, which 114 of the vectors have.
        monkeypatch.setattr(
            "maskline.pipeline.commands.unmask.load_stream", lambda _, domain=domain: with_domain(domain)
        )
        expected = []
        for prefix in ("raw", "tink"):
            tokens = [token(vector, key_ids[vector.key, prefix], prefix) for vector in of_domain]
            monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(tokens)))
            capsys.readouterr()

            main(
                [
                    "unmask",
                    f"--postgres={dsn}",
                    f"--keyset={keyset_uri}",
                    "--column=masked_ip",
                    "--reason=t",
                    "--stdin",
                    "--raw",
                ]
            )

            shown = capsys.readouterr()
            values = {row["row"]: row["ip"] for row in csv.DictReader(io.StringIO(shown.out, newline=""))}
            complaints = dict(re.findall(r"row (line \d+): (.*)", shown.err))
            for number, vector in enumerate(of_domain, start=1):
                row = f"line {number}"
                expected.append(row)
                if not vector.is_valid:
                    assert row not in values, vector.number
                    assert row in complaints, vector.number
                elif is_text(vector.clear):
                    assert values[row] == vector.clear.decode(), vector.number
                else:
                    assert "holds bytes that are no text in UTF-8" in complaints[row], vector.number
        assert len(expected) == 2 * len(of_domain)


@pytest.mark.parametrize("prefix", ["raw", "tink"])
def test_an_imported_key_decrypts_each_valid_ciphertext_and_no_other(
    keyset_uri: str, key_ids: dict[tuple[bytes, str], int], prefix: str
) -> None:
    keyset = opened(keyset_uri)

    for vector in VECTORS:
        ciphertext = with_prefix(vector, key_ids[vector.key, prefix], prefix)
        if vector.is_valid:
            assert keyset.decrypt(ciphertext, vector.associated_data) == vector.clear, vector.number
        else:
            with pytest.raises(tink.TinkError):
                keyset.decrypt(ciphertext, vector.associated_data)


def test_an_imported_key_that_is_promoted_masks_as_they_say(
    keyset_uri: str, key_ids: dict[tuple[bytes, str], int]
) -> None:
    for vector in VECTORS:
        if not vector.is_valid:
            continue
        key_id = key_ids[vector.key, "tink"]
        assert main(["keys", "promote", f"--keyset={keyset_uri}", str(key_id)]) == 0

        ciphertext = opened(keyset_uri).encrypt(vector.clear, vector.associated_data)

        assert ciphertext == with_prefix(vector, key_id, "tink"), vector.number


def token(vector: Vector, key_id: int, prefix: str) -> str:
    """Write a ciphertext as a column holds it."""
    encode = encode_token if prefix == "tink" else lambda ciphertext: base64.b64encode(ciphertext).decode()
    return encode(with_prefix(vector, key_id, prefix))


def with_prefix(vector: Vector, key_id: int, prefix: str) -> bytes:
    """Return a ciphertext as Tink writes it: behind the key's id, or plain."""
    return (b"\x01" + key_id.to_bytes(4, "big") if prefix == "tink" else b"") + vector.ciphertext


def with_domain(domain: str) -> StreamDefinition:
    """Return the stream of logins with another domain for its addresses."""
    stream = load_stream("user_logins")
    columns = (
        msgspec.structs.replace(column, domain=domain) if column.name == "masked_ip" else column
        for column in stream.columns
    )
    return msgspec.structs.replace(stream, columns=tuple(columns))


def is_text(content: bytes) -> bool:
    """Say whether bytes are UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
