"""The sample messages: the same for a seed, and with the oddities of real ones."""

from __future__ import annotations

import json
from collections import Counter

from maskline.pipeline.local.samples import Samples

HUNDRED = list(Samples().bodies(0, 100))
LOGINS = [json.loads(body) for body in HUNDRED if "foo" not in body]


def test_a_message_is_the_same_whoever_asks_and_in_whatever_portions() -> None:
    again = [*Samples().bodies(0, 7), *Samples().bodies(7, 93)]

    assert again == HUNDRED
    assert list(Samples(seed=1).bodies(0, 3)) != HUNDRED[:3]


def test_the_message_of_the_wrong_type_stands_at_index_12() -> None:
    assert [index for index, body in enumerate(HUNDRED) if "foo" in body] == [12]
    assert json.loads(HUNDRED[12]) == {"foo": "oops_wrong_msg_type", "bar": "123"}


def test_every_other_message_is_a_login() -> None:
    fields = {"user_id", "app_version", "device_type", "ip", "locale", "device_id"}

    assert len(LOGINS) == 99
    assert all(set(login) == fields for login in LOGINS)
    assert all(isinstance(value, str) for login in LOGINS for name, value in login.items() if name != "locale")


def test_they_have_the_oddities_of_real_ones() -> None:
    thousand = [json.loads(body) for body in Samples().bodies(0, 1000) if "foo" not in body]

    null_locales = sum(login["locale"] is None for login in thousand)
    two_part_versions = sum(login["app_version"].count(".") == 1 for login in thousand)
    multicast = sum(224 <= int(login["ip"].split(".")[0]) < 240 for login in thousand)

    assert 230 < null_locales < 350
    assert 460 < two_part_versions < 620
    assert multicast > 0


def test_messages_addresses_and_devices_repeat() -> None:
    bodies = Counter(HUNDRED)
    addresses = Counter(login["ip"] for login in LOGINS)
    devices = Counter(login["device_id"] for login in LOGINS)

    assert bodies[HUNDRED[41]] == bodies[HUNDRED[83]] == 2
    assert addresses.most_common(1)[0][1] >= 3
    assert devices.most_common(1)[0][1] >= 3
