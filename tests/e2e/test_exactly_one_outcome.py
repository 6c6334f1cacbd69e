"""The property that everything else serves, on the real graph with real parts."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maskline.postgres.connection import connect, transaction
from maskline.sqs import SqsQueue
from tests.e2e.conftest import WRONG_TYPE, RunHere, login

# What SQS itself takes: the characters of XML 1.0, and at least one of them.
sendable_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
        lambda c: c >= " " or c in "\t\n\r"
    ),
    min_size=1,
    max_size=60,
)
field_values = st.one_of(sendable_text, st.none(), st.integers(), st.booleans(), st.just("x" * 300), st.just("\0"))
logins = st.builds(
    lambda number, changes: login(number, **changes),
    st.integers(0, 2**64),
    st.dictionaries(
        st.sampled_from(["user_id", "ip", "device_id", "locale", "app_version", "new_field"]), field_values
    ),
)
json_texts = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), sendable_text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(sendable_text, inner, max_size=3)),
    max_leaves=5,
).map(json.dumps)
broken = st.sampled_from(
    [
        WRONG_TYPE,
        "not JSON",
        "[" * 100_000,
        '{"user_id": ' + "1" * 5000 + "}",
        '{"user_id": NaN}',
        '{"user_id": 1e999}',
        '{"user_id": "a", "user_id": "b"}',
        login(1, locale="\ud800"),
        login(1, locale="\0"),
        login(1, extra="x" * 900_000),
    ]
)
bodies = st.lists(st.one_of(logins, json_texts, sendable_text, broken), max_size=40).flatmap(
    lambda some: st.builds(
        lambda repeated: some + repeated, st.lists(st.sampled_from(some), max_size=5) if some else st.just([])
    )
)


@given(bodies=bodies)
@example(bodies=[])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_each_message_is_exactly_one_row_or_one_rejection_and_the_queue_is_empty(
    bodies: list[str], queue: SqsQueue, dsn: str, run_here: RunHere
) -> None:
    sent = [message_id for body in bodies for message_id in queue.send([body])]

    run_here()

    assert _outcomes(dsn, sent) == sorted(sent)
    assert queue.depth().total == 0


def _outcomes(dsn: str, message_ids: list[str]) -> list[str]:
    """Return the message ids of these messages' rows and rejections, with repetitions."""
    connection = connect(dsn)
    with transaction(connection) as cursor:
        cursor.execute(
            "SELECT message_id::text FROM user_logins WHERE message_id = ANY (%s::uuid[])"
            " UNION ALL SELECT message_id::text FROM rejected_messages WHERE message_id = ANY (%s::uuid[])",
            [message_ids, message_ids],
        )
        found = sorted(message_id for (message_id,) in cursor)
    connection.close()
    return found
