"""What transforms are constructed with is checked there, and shown to whoever looks at the job."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.transforms.display import DisplayData

from maskline import transforms
from maskline.errors import UsageError
from maskline.sqs import QueueAddress
from maskline.sqs.lease import VisibilityLease
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.transforms import (
    DeleteFromSqs,
    MaskPii,
    MicroBatch,
    ReadFromSqs,
    ReadKeyset,
    ReturnToSqs,
    WriteRejections,
)
from maskline.transforms import WriteToPostgres as Write

DSN = "postgresql://writer@db/logins"
NO_STREAM: Any = {"name": "x"}
A_NUMBER: Any = 7
A_TEXT: Any = "7"
NO_SETTINGS: Any = {"micro_batch_size": 1}
TRANSFORMS = [each for each in vars(transforms).values() if inspect.isclass(each) and issubclass(each, beam.PTransform)]


@pytest.mark.parametrize(
    ("construct", "line"),
    [
        (lambda: Write("nope", DSN), "stream 'nope' is not known; known: user_logins"),
        (lambda: MaskPii("nope", "env:K"), "stream 'nope' is not known; known: user_logins"),
        (lambda: Write(NO_STREAM, DSN), "stream is a dict; give a StreamDefinition, or"),
        (lambda: Write("user_logins", "nonsense"), "dsn: not a data source name"),
        (lambda: Write("user_logins", DSN, db_retry_seconds=-1), "db_retry_seconds is -1; it must be from 0 to 39600"),
        (lambda: Write("user_logins", DSN, lease=A_NUMBER), "lease is a int; give a VisibilityLease or None"),
        (lambda: MaskPii("user_logins", "keyset.json"), "keyset: give a URI that begins with one of"),
        (lambda: MaskPii("user_logins", b"key"), "keyset: MaskPii takes its keyset by URI"),
        (lambda: ReadKeyset("keyset.json"), "keyset: give a URI that begins with one of"),
        (lambda: ReadFromSqs("not a queue!"), "queue 'not a queue!': give a queue's URL or its name"),
        (lambda: ReadFromSqs(A_NUMBER), "queue is a int; give a QueueAddress, or the queue's URL or name"),
        (lambda: ReadFromSqs("logins", NO_SETTINGS), "receive is a dict; give ReceiveSettings or None"),
        (lambda: ReadFromSqs("logins", pollers=0), "pollers is 0; it must be 1 or more"),
        (lambda: DeleteFromSqs(""), "queue '': give a queue's URL or its name"),
        (lambda: ReadFromSqs("logins", pollers=A_TEXT), "pollers is a str; give a whole number, 1 or more"),
        (lambda: ReadFromSqs("logins", after=A_TEXT), "after is a str; give beam.pvalue.AsSingleton(pcollection) or"),
        (lambda: ReadFromSqs("logins", attribute_names="All"), "attribute_names is a str; give a collection of names"),
        (lambda: ReturnToSqs("logins", A_TEXT), "context is a str; give a RunContext or None"),
        (lambda: MicroBatch(0), "size is 0; it must be 1 or more"),
        (lambda: MicroBatch(A_TEXT), "size is a str; give a whole number, 1 or more"),
        (lambda: VisibilityLease(QueueAddress("logins"), 0), "visibility_timeout_seconds is 0; SQS takes 1 to 43200"),
        (lambda: ReceiveSettings(micro_batch_size=0), "micro_batch_size is 0; it must be 1 or more"),
    ],
)
def test_a_wrong_argument_is_refused_by_its_name_at_construction(construct: Callable[[], object], line: str) -> None:
    with pytest.raises(UsageError) as refused:
        construct()

    assert isinstance(refused.value, ValueError)
    assert str(refused.value).startswith(line)


def test_a_stream_may_be_given_by_the_path_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.toml"
    path.write_text('name = "orders"\ntable = "shop_orders"\n[columns.number]\ntype = "text"\nclear = true\n')

    write = Write(str(path), DSN)
    path.unlink()

    assert shown_by(write) == {"stream": "orders", "table": "shop_orders", "db_retry_seconds": 300}


@pytest.mark.parametrize(
    ("transform", "shown"),
    [
        (
            ReadFromSqs(QueueAddress("logins", "http://127.0.0.1:9324"), pollers=3),
            {
                "queue": "logins at http://127.0.0.1:9324",
                "pollers": 3,
                "micro_batch_size": 1000,
                "visibility_timeout_seconds": 60,
                "until_empty": False,
            },
        ),
        (ReadKeyset("env:KEYSET"), {"keyset": "env:KEYSET"}),
        (MaskPii("user_logins", "env:KEYSET"), {"stream": "user_logins", "keyset": "env:KEYSET"}),
        (MicroBatch(500), {"size": 500}),
        (Write("user_logins", DSN), {"stream": "user_logins", "table": "user_logins", "db_retry_seconds": 300}),
        (
            WriteRejections(DSN, 60),
            {"table": "rejected_messages", "db_retry_seconds": 60},
        ),
        (DeleteFromSqs("logins"), {"queue": "logins"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_transform_shows_what_it_does_and_no_more(transform: beam.PTransform, shown: dict[str, Any]) -> None:
    assert shown_by(transform) == shown


def test_all_that_signatures_name_is_exported() -> None:
    named = {
        name.strip()
        for each in TRANSFORMS
        for parameter in inspect.signature(each.__init__).parameters.values()
        for name in str(parameter.annotation).split("|")
        if name.strip()[:1].isupper()
    }

    assert {StreamDefinition.__name__, "QueueAddress", "RunContext"} <= named
    assert named - set(transforms.__all__) - {"None", "AsSingleton", "Collection[str]"} == set()


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.__name__)
def test_a_transform_shows_how_it_is_used(transform: type[beam.PTransform]) -> None:
    (example,) = re.findall(r"::\n\n((?: {4}.+\n)+)", f"{inspect.getdoc(transform)}\n")

    assert f"{transform.__name__}(" in example
    ast.parse(textwrap.dedent(example))


def shown_by(transform: beam.PTransform) -> dict[str, Any]:
    """Return what a runner's interface shows of a transform."""
    return {item.key: item.value for item in DisplayData.create_from(transform).items if item.namespace.startswith("m")}
