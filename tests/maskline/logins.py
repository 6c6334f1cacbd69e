"""Logins as they arrive, and messages that carry them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from maskline.records import SqsMessage

LOGIN: dict[str, object] = {
    "user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae",
    "app_version": "2.3.0",
    "device_type": "android",
    "ip": "199.172.111.135",
    "locale": "RU",
    "device_id": "593-47-5928",
}


def login(**changes: object) -> str:
    """Return the body of a login, with some fields changed or added."""
    return json.dumps(LOGIN | changes)


def login_without(*fields: str) -> str:
    """Return the body of a login that lacks fields."""
    return json.dumps({field: value for field, value in LOGIN.items() if field not in fields})


def message(body: str, number: int = 1) -> SqsMessage:
    """Return a message as SQS delivered it."""
    return SqsMessage(
        message_id=f"6f9619ff-8b86-4011-b42d-{number:012}",
        receipt_handle=f"handle-{number}",
        body=body,
        sent_at=datetime(2023, 11, 5, 12, 30, tzinfo=UTC),
        receive_count=2,
    )
