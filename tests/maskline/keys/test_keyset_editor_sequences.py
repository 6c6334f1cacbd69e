"""Whatever is done to a keyset in whatever order, it opens, masks, and reads what its enabled keys masked."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from maskline.errors import TokenError, UsageError
from maskline.keys import StoredKeyset, create_keyset, open_keyset
from maskline.keys.keyset import keyset_handle, serialize_keyset
from maskline.keys.keyset_editor import KeysetEditor
from maskline.masks.deterministic import Masker
from tests.maskline.keysets import raw_key, reference_token, siv

pytestmark = pytest.mark.heavy

DOMAIN = "user_logins.masked_ip"


@dataclass
class KnownKey:
    """What must hold of a key, written down when it was added."""

    key: bytes
    is_raw: bool
    state: str = "enabled"


class LifeOfAKeyset(RuleBasedStateMachine):
    """Steps of a keyset's life beside what must be true of it, stored and read again after each."""

    @initialize()
    def create(self) -> None:
        stored = StoredKeyset(create_keyset(), "test:new")
        self.editor = KeysetEditor(keyset_handle(stored))
        self.primary = open_keyset(stored).primary_key_id
        self.keys = {self.primary: KnownKey(raw_key(stored), is_raw=False)}

    @rule()
    def add(self) -> None:
        added = self.editor.add()
        value = json.loads(serialize_keyset(self.editor.handle()))["key"][-1]["keyData"]["value"]
        self.keys[added] = KnownKey(base64.b64decode(value)[2:], is_raw=False)

    @rule(is_raw=st.booleans())
    def import_key(self, is_raw: bool) -> None:
        key = secrets.token_bytes(64)
        self.keys[self.editor.import_key(key, is_raw=is_raw)] = KnownKey(key, is_raw)

    @rule(data=st.data())
    def promote(self, data: st.DataObject) -> None:
        key_id, key = self._choose(data)
        if key.state == "enabled" and not key.is_raw:
            self.editor.promote(key_id)
            self.primary = key_id
        else:
            with pytest.raises(UsageError):
                self.editor.promote(key_id)

    @rule(data=st.data(), step=st.sampled_from(["enable", "disable", "destroy"]))
    def change_state(self, data: st.DataObject, step: str) -> None:
        key_id, key = self._choose(data)
        if key.state == "destroyed" or (key_id == self.primary and step != "enable"):
            with pytest.raises(UsageError):
                getattr(self.editor, step)(key_id)
        else:
            getattr(self.editor, step)(key_id)
            key.state = {"enable": "enabled", "disable": "disabled", "destroy": "destroyed"}[step]

    @rule()
    def store_and_read_again(self) -> None:
        stored = StoredKeyset(serialize_keyset(self.editor.handle()), "test:stored")
        self.editor = KeysetEditor(keyset_handle(stored))

    @invariant()
    def it_masks_under_an_enabled_primary_whose_tokens_name_it(self) -> None:
        primary = self.keys[self.primary]

        token = self._masker().mask("203.0.113.7", DOMAIN)

        assert (primary.state, primary.is_raw) == ("enabled", False)
        assert token == reference_token(primary.key, self.primary, "203.0.113.7", DOMAIN)

    @invariant()
    def it_reads_what_its_enabled_keys_masked_and_nothing_that_others_did(self) -> None:
        masker = self._masker()
        for key_id, key in self.keys.items():
            text = (
                siv(key.key, b"203.0.113.7", DOMAIN.encode()).hex()
                if key.is_raw
                else reference_token(key.key, key_id, "203.0.113.7", DOMAIN)
            )
            if key.state == "enabled":
                assert masker.unmask(text, DOMAIN) == "203.0.113.7"
            else:
                with pytest.raises(TokenError):
                    masker.unmask(text, DOMAIN)

    @invariant()
    def it_holds_the_bytes_of_every_key_but_the_destroyed_ones(self) -> None:
        keys = json.loads(serialize_keyset(self.editor.handle()))["key"]
        held = b"".join(base64.b64decode(key["keyData"].get("value", "")) for key in keys if "keyData" in key)
        for key in self.keys.values():
            assert (key.key in held) is (key.state != "destroyed")

    @invariant()
    def it_describes_its_keys_in_the_order_in_which_they_came(self) -> None:
        described = [(key.key_id, key.state, key.prefix, key.is_primary) for key in list(self.editor.keys())]

        assert described == [
            (key_id, key.state, "raw" if key.is_raw else "tink", key_id == self.primary)
            for key_id, key in self.keys.items()
            if key.state != "destroyed"
        ]

    def _choose(self, data: st.DataObject) -> tuple[int, KnownKey]:
        return data.draw(st.sampled_from(list(self.keys.items())))

    def _masker(self) -> Masker:
        return Masker(open_keyset(StoredKeyset(serialize_keyset(self.editor.handle()), "test:stored")))


TestLifeOfAKeyset = LifeOfAKeyset.TestCase
TestLifeOfAKeyset.settings = settings(deadline=None, max_examples=20, stateful_step_count=20)
