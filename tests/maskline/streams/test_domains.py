"""Columns of one domain give equal values equal tokens, whatever their spelling, in one stream and over several."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.errors import StreamDefinitionError
from maskline.masks.normalization import Normalization
from maskline.records import MaskedRow, Reason, Rejection
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.masking import MessageMasker
from maskline.streams.stream_set import StreamSet, StreamSetMasker
from tests.maskline.keysets import KEY, opened, opened_hash, reference_token
from tests.maskline.logins import login, message


def stream(*domain: str, column: tuple[str, ...] = (), name: str = "s") -> StreamDefinition:
    """Return a stream with the masked column ``v``, and a [domains.d] if it has lines."""
    lines = [f'name = "{name}"', f'table = "{name}"']
    lines += ["[domains.d]", *domain] if domain else []
    lines += ["[columns.v]", *(column or ('type = "text"', 'mask = "deterministic"', 'domain = "d"'))]
    return parse_stream("\n".join(lines), "s.toml")


def refusal_of(*domain: str, column: tuple[str, ...] = ()) -> str:
    with pytest.raises(StreamDefinitionError) as refusal:
        stream(*domain, column=column)
    return str(refusal.value).removeprefix("stream s.toml: ")


def value_of(definition: StreamDefinition, value: object) -> object:
    """Return what is stored of a value."""
    row = MessageMasker(definition, opened(7)).mask(message(json.dumps({"v": value})))
    assert isinstance(row, MaskedRow), row
    return row.values[0]


@pytest.mark.parametrize(
    ("rule", "one", "other"),
    [
        ("email", "Ann@Example.com", "ann@example.com "),
        ("ip", "2001:DB8::1", "2001:db8:0:0:0:0:0:1"),
        ("ip", "::ffff:1.2.3.4", "1.2.3.4"),
        ("phone:DE", "+49 170 1234567", "0049-170-1234567"),
        ("text", "é", "e\u0301"),
        ("uuid", "6F9619FF-8B86-4011-B42D-00C04FC964FF", "6f9619ff-8b86-4011-b42d-00c04fc964ff"),
        ("mac", "08-00-2B-01-02-03", "08:00:2b:01:02:03"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("caseless", "STRASSE", "straße"),
    ],
)
def test_spellings_of_one_value_have_one_token(rule: str, one: str, other: str) -> None:
    definition = stream(f'normalize = "{rule}"')

    assert value_of(definition, one) == value_of(definition, other)
    assert value_of(stream(), one) != value_of(stream(), other)


@pytest.mark.heavy
@settings(deadline=None)
@given(
    one=st.sampled_from(["Ann", "ANN", " ann", "é", "e\u0301", "É", "", " ", "anna"]),
    other=st.text("aAnN e\u0301éÉ", max_size=4),
)
@pytest.mark.parametrize("rule", ["text", "caseless", "email", "ip"])
def test_values_are_equal_under_a_rule_exactly_when_their_tokens_are(rule: str, one: str, other: str) -> None:
    definition = stream(f'normalize = "{rule}"')
    normal_form = Normalization.parse(rule).normal_form()

    def form(value: str) -> str:
        found = normal_form(value)
        return value if found is None else found

    assert (value_of(definition, one) == value_of(definition, other)) is (form(one) == form(other))


def test_a_token_is_that_of_the_normal_form_in_the_domain_alone() -> None:
    assert value_of(stream('normalize = "email"'), " Ann@Example.COM") == reference_token(
        KEY, 7, "ann@example.com", "d"
    )


def test_canonical_values_of_user_logins_keep_the_tokens_they_had(user_logins: StreamDefinition) -> None:
    row = MessageMasker(user_logins, opened(7)).mask(message(login()))
    other = MessageMasker(user_logins, opened(7)).mask(
        message(login(ip="::FFFF:199.172.111.135", device_id="593-47-5928 "))
    )

    assert isinstance(row, MaskedRow)
    assert isinstance(other, MaskedRow)
    assert row.values[2] == reference_token(KEY, 7, "199.172.111.135", "user_logins.masked_ip")
    assert row.values[3] == reference_token(KEY, 7, "593-47-5928", "user_logins.masked_device_id")
    assert other.values == row.values


def test_a_value_without_a_normal_form_is_masked_as_it_is_and_counted() -> None:
    masker = MessageMasker(stream('normalize = "email"'), opened(7))

    row = masker.mask(message('{"v": " Ann "}'))

    assert isinstance(row, MaskedRow)
    assert row.values == (reference_token(KEY, 7, " Ann ", "d"),)
    assert masker.take_invalid_values() == 1


def test_a_value_without_a_normal_form_is_rejected_where_the_domain_says_so() -> None:
    masker = MessageMasker(stream('normalize = "email"', 'invalid = "reject"'), opened(7))

    rejection = masker.mask(message('{"v": "Ann"}'))

    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.detail) == (Reason.NOT_ALLOWED, "field v has no normal form as email")
    assert isinstance(masker.mask(message('{"v": "ann@example.com"}')), MaskedRow)


@pytest.mark.parametrize("value", ["", "n/a", " n/a ", "N/A", "ann@example.com"])
def test_what_means_nothing_becomes_null(value: str) -> None:
    definition = stream('normalize = "email"', 'missing = ["", "n/a", "N/A", "Ann@Example.com"]')

    assert value_of(definition, value) is None
    assert value_of(definition, "bob@example.com") == reference_token(KEY, 7, "bob@example.com", "d")
    assert definition.columns[0].takes_null


def test_without_a_rule_what_means_nothing_still_becomes_null() -> None:
    definition = stream('missing = ["unknown"]')

    assert value_of(definition, " unknown") is None
    assert value_of(definition, " x ") == reference_token(KEY, 7, " x ", "d")


def test_elements_of_an_array_are_normalized_one_by_one() -> None:
    column = ('type = "text[]"', 'mask = "deterministic"', 'domain = "d"', "nullable = true")
    definition = stream('normalize = "email"', 'missing = ["-"]', column=column)

    assert value_of(definition, ["Ann@Example.com", "-", None, "x"]) == [
        reference_token(KEY, 7, "ann@example.com", "d"),
        None,
        None,
        reference_token(KEY, 7, "x", "d"),
    ]


def test_a_value_that_grows_too_long_in_its_normal_form_is_rejected() -> None:
    column = ('type = "varchar(44)"', 'mask = "deterministic"', 'domain = "d"')
    masker = MessageMasker(stream('normalize = "phone:DE"', column=column), opened(7))

    rejection = masker.mask(message('{"v": "0170 1234567"}'))

    assert isinstance(rejection, Rejection)
    assert rejection.reason is Reason.TOO_LONG


def test_a_longer_spelling_of_a_short_value_is_taken() -> None:
    column = ('type = "varchar(44)"', 'mask = "deterministic"', 'domain = "d"')

    assert value_of(stream('normalize = "ip"', column=column), "::ffff:1.2.3.4") == reference_token(
        KEY, 7, "1.2.3.4", "d"
    )


@pytest.mark.parametrize(
    ("domain", "column", "why"),
    [
        (['normalize = "ip:4"'], (), "domain 'd': normalize 'ip:4' takes nothing behind a colon; write 'ip'"),
        (["missing = []"], (), "domain 'd': says nothing; write normalize = \"email\", say"),
        (
            ['invalid = "reject"'],
            (),
            "domain 'd': invalid is about values without a normal form; say which, normalize = \"email\", too",
        ),
        (['normalize = "ip"', 'invalid = "drop"'], (), "domain 'd': Invalid enum value 'drop' - at `$.invalid`"),
        (['normalise = "ip"'], (), "domain 'd': Object contains unknown field `normalise`"),
        (
            ['normalize = "ip"'],
            ('type = "text"', "pii = true"),
            "domain 'd': no column is of it; write domain = \"d\" in those that are",
        ),
        (
            ['normalize = "text"'],
            ('type = "jsonb"', 'mask = "leaves"', 'domain = "d"'),
            "column 'v': [domains] normalizes texts, and jsonb is none; give it another domain",
        ),
        (
            ['normalize = "text"'],
            ('type = "text"', 'mask = "redact"', 'domain = "d"'),
            "column 'v': what is redacted has no domain",
        ),
    ],
)
def test_a_domain_that_cannot_be_is_named_with_what_to_write(
    domain: list[str], column: tuple[str, ...], why: str
) -> None:
    assert refusal_of(*domain, column=column) == why


def test_columns_of_one_domain_pad_alike() -> None:
    column = (
        'type = "text"',
        "pii = true",
        'domain = "d"',
        "pad = 16",
        "[columns.w]",
        'type = "text"',
        "pii = true",
        'domain = "d"',
    )

    assert refusal_of(column=column) == (
        "column 'w' and column 'v' share the domain d and not its padding, so that equal values would not have equal "
        "tokens; write the same pad in both, or give one another domain"
    )


def test_streams_that_share_a_domain_share_its_rule() -> None:
    plain = parse_stream(
        'name = "p"\ntable = "p"\n[match]\na = 1\n[columns.v]\ntype = "text"\npii = true\ndomain = "d"', "p.toml"
    )

    with pytest.raises(StreamDefinitionError) as refusal:
        StreamSet((plain, stream('normalize = "email"')))

    assert str(refusal.value) == (
        "streams: s.v and p.v share the domain d and not its rule (email and no rule), so that equal values would not "
        'have equal tokens; write [domains."d"] normalize alike in both, or give one another domain'
    )


def test_streams_with_one_rule_have_one_token_and_count_together() -> None:
    other = parse_stream(
        'name = "o"\ntable = "o"\n[match]\nkind = "o"\n[domains.d]\nnormalize = "email"\n'
        '[columns.w]\nfield = "v"\ntype = "text"\npii = true\ndomain = "d"\n'
        '[columns.h]\nfield = "v"\ntype = "char(22)"\nmask = "hash"\ndomain = "d"',
        "o.toml",
    )
    masker = StreamSetMasker(StreamSet((other, stream('normalize = "email"'))), opened(7), hash_keyset=opened_hash())

    rows = [
        masker.mask(message(body)) for body in ('{"v": "Ann@x.de", "kind": "o"}', '{"v": "ann@X.de"}', '{"v": "-"}')
    ]

    tokens = [row.values[0] for row in rows if isinstance(row, MaskedRow)]
    assert tokens[0] == tokens[1] == reference_token(KEY, 7, "ann@x.de", "d")
    assert masker.take_invalid_values() == 1
