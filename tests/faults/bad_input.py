"""What arrives besides good logins: a corpus of oddities, each with its outcome, and strategies for more."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from maskline.records import Reason
from tests.e2e.conftest import login

FIELDS = ("user_id", "app_version", "device_type", "ip", "locale", "device_id")
SHORT_TEXTS = {
    "SQL": "'); DROP TABLE t; --",
    "SQL with a dollar quote": "$$; SELECT 1; $$",
    "a parameter of the driver": "%s %(x)s %% {} \\",
    "COPY's own": "\\.\t\\N",
    "HTML": "<script>a()</script>",
    "a line for the log": '\n{"level": "INFO"}\r\n',
    "a terminal's escape": "\x1b[2J\x1b]0;title\x07",
    "bidirectional marks": "\u202eRU\u202c\u2066x\u2069",
    "a joined emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "combining marks": "e" + "\u0301" * 20,
    "a byte order mark": "\ufeffRU",
    "what XML cannot hold": "\ufffe\uffff\x01",
    "JNDI": "${jndi:ldap://127.0.0.1/a}",
    "only spaces": "   ",
    "nothing": "",
    "a formula": "=1+1",
    "a path": "../../etc/passwd",
    "a regular expression": "(a+)+$" * 4,
}
"""Texts that are nobody's locale and fit every column: each becomes a row, exactly as it is."""

ACCEPTED = {
    **{f"{name} in every field": login(7, **dict.fromkeys(FIELDS, text)) for name, text in SHORT_TEXTS.items()},
    "an extra field of half a megabyte": login(8, extra="x" * 500_000),
    "extra fields by the thousand": login(9, **{f"extra {number}": number for number in range(5000)}),
    "nested extras": login(10, extra=json.loads("[" * 200 + "]" * 200)),
    "all that may be null": login(11, ip=None, locale=None, device_id=None),
    "spaces around it": f" \n\t{login(12)}\r\n ",
    "a byte order mark before it": "\ufeff" + login(14),
    "an escaped key": login(13).replace('"user_id"', '"\\u0075ser_id"'),
}
"""Bodies that become rows."""

REJECTED_BY_POSTGRES = {
    "not JSON": ("not JSON", Reason.NOT_JSON),
    "a page": ("<html></html>", Reason.NOT_JSON),
    "half a login": (login(1)[:60], Reason.NOT_JSON),
    "two logins": (login(1) * 2, Reason.NOT_JSON),
    "a comment": ("// none\n" + login(1), Reason.NOT_JSON),
    "single quotes": (login(1).replace('"', "'"), Reason.NOT_JSON),
    "a raw line break in a string": (login(1, locale="@").replace("@", "a\nb"), Reason.NOT_JSON),
    "deep arrays": ("[" * 100_000, Reason.NOT_JSON),
    "deep objects": ('{"a":' * 100_000, Reason.NOT_JSON),
    "a login within deep arrays": ("[" * 5000 + login(1) + "]" * 5000, Reason.NOT_JSON),
    "NaN": (login(1, extra="@").replace('"@"', "NaN"), Reason.NOT_JSON),
    "Infinity": (login(1, extra="@").replace('"@"', "-Infinity"), Reason.NOT_JSON),
    "an array": (f"[{login(1)}]", Reason.NOT_AN_OBJECT),
    "a string": (json.dumps(login(1)), Reason.NOT_AN_OBJECT),
    "null": ("null", Reason.NOT_AN_OBJECT),
    "a number": ("1e3", Reason.NOT_AN_OBJECT),
    "a key twice": ('{"user_id": "a", "user_id": "b"}', Reason.DUPLICATE_KEY),
    "a key twice deep down": (login(1, extra="@").replace('"@"', '[{"a": {"b": 1, "b": 2}}]'), Reason.DUPLICATE_KEY),
    "a key twice by an escape": (login(1, extra="@").replace('"@"', '{"a": 1, "\\u0061": 2}'), Reason.DUPLICATE_KEY),
    "1e999": (login(1, extra="@").replace('"@"', "1e999"), Reason.OUT_OF_RANGE),
    "an integer of 5,000 digits": (login(1, extra="@").replace('"@"', "1" * 5000), Reason.OUT_OF_RANGE),
    "an exponent of 400 digits": (login(1, extra="@").replace('"@"', "0e" + "9" * 400), Reason.OUT_OF_RANGE),
    "the wrong type": ('{"foo": "oops_wrong_msg_type", "bar": "123"}', Reason.MISSING_FIELD),
    "an empty object": ("{}", Reason.MISSING_FIELD),
    "no user": (login(1, user_id=None), Reason.NULL_FIELD),
    "a number for a text": (login(1, app_version=2), Reason.WRONG_TYPE),
    "an object for a text": (login(1, ip={"v4": "x"}), Reason.WRONG_TYPE),
    "true for a text": (login(1, locale=True), Reason.WRONG_TYPE),
    "too long": (login(1, user_id="x" * 129), Reason.TOO_LONG),
    "half a megabyte in one field": (login(1, device_id="x" * 500_000), Reason.TOO_LONG),
    "a token that would be too long": (login(1, ip="x" * 200), Reason.TOO_LONG),
    "NUL": (login(1, locale="a\0b"), Reason.INVALID_TEXT),
    "NUL in what is masked": (login(1, ip="1\0"), Reason.INVALID_TEXT),
    "a lone surrogate": (login(1, locale="\ud800"), Reason.INVALID_TEXT),
    "surrogates the wrong way about": (login(1, device_id="\udc00\ud800"), Reason.INVALID_TEXT),
}
"""Bodies that become rejections, and why."""

UNDELIVERABLE = {"NUL": "a\0b", "a lone surrogate": "\ud800", "a login of one": '{"user_id": "\udfff"}', "nothing": ""}
"""Bodies that SQS takes from nobody; who knows what stands in front of it."""

_text = st.one_of(st.text(max_size=40), st.sampled_from(list(SHORT_TEXTS.values())))
_value = st.one_of(_text, st.none(), st.integers(), st.floats(), st.booleans(), st.lists(_text, max_size=2))
_oddities = [*ACCEPTED.values(), *(body for body, _ in REJECTED_BY_POSTGRES.values())]


def _damaged(body: str, place: int, inserted: str) -> str:
    place %= len(body) + 1
    return body[:place] + inserted + body[place + 1 :]


odd_bodies = st.one_of(
    st.sampled_from([body for body in _oddities if len(body) < 1000]),
    st.builds(
        lambda number, changes: login(number, **changes),
        st.integers(0, 1000),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), _text), _value, max_size=4),
    ),
    st.builds(_damaged, st.just(login(5)), st.integers(0, 200), st.sampled_from(["", "\\", '"', "}", "\\u0000", "e"])),
)
"""Bodies odd in any way, of characters that SQS takes."""
