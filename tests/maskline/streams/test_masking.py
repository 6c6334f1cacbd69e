"""One message has one outcome, a masked row or a rejection; only a part that the job stands on ends the job."""

from __future__ import annotations

import pytest

from maskline.errors import KeysetUnavailableError
from maskline.masks import deterministic
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Reason, Rejection
from maskline.streams.decoding import MessageDecoder
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.masking import MessageMasker
from tests.maskline.keysets import opened
from tests.maskline.logins import login, message


def failing(error: BaseException) -> object:
    """Return a method that raises."""

    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(("owner", "function"), [(MessageDecoder, "decode"), (deterministic, "encode_token")])
def test_an_unexpected_exception_rejects_the_message_and_tells_its_type_alone(
    user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    masker = MessageMasker(user_logins, opened(7))
    monkeypatch.setattr(owner, function, failing(ZeroDivisionError("199.172.111.135 by zero")))

    rejection = masker.mask(message(login()))

    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.detail) == (Reason.UNEXPECTED, "ZeroDivisionError")
    assert Masker(opened(7)).unseal_body(rejection.sealed_body, "user_logins", rejection.receipt.message_id) == login()
    assert masker.extra_fields == 0


def test_a_part_that_does_not_answer_is_not_the_messages_fault(
    user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    masker = MessageMasker(user_logins, opened(7))
    monkeypatch.setattr(MessageDecoder, "decode", failing(KeysetUnavailableError("kms: did not answer")))

    with pytest.raises(KeysetUnavailableError):
        masker.mask(message(login()))


def test_a_decimal_of_thirty_digits_becomes_a_row() -> None:
    stream = parse_stream('name = "p"\ntable = "p"\n[columns.amount]\ntype = "numeric(38, 10)"', "p.toml")

    row = MessageMasker(stream, opened(7)).mask(message('{"amount": 12345678901234567890.1234567891}'))

    assert isinstance(row, MaskedRow)
    assert [str(value) for value in row.values] == ["12345678901234567890.1234567891"]
