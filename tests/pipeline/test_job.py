"""The graph: what must never be in it, and the labels that an operator reads."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.transforms.userstate import is_stateful_dofn

from maskline.keys import KeysetUri
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import StreamDefinition

SHUFFLES = (beam.GroupByKey, beam.Flatten, beam.Reshuffle, beam.CombinePerKey)


class Collector(PipelineVisitor):
    """Collects all steps of a pipeline."""

    def __init__(self) -> None:
        self.steps: list[AppliedPTransform] = []

    def enter_composite_transform(self, step: AppliedPTransform) -> None:
        self.steps.append(step)

    def visit_transform(self, step: AppliedPTransform) -> None:
        self.steps.append(step)


@pytest.fixture
def steps(user_logins: StreamDefinition) -> list[AppliedPTransform]:
    pipeline = beam.Pipeline(runner="FnApiRunner")
    queue = QueueAddress("logins", "http://127.0.0.1:1")
    build(
        pipeline,
        JobSettings(
            user_logins, queue, PostgresDsn.parse("postgresql://writer@db/logins"), KeysetUri.parse("env:KEYSET")
        ),
    )
    collector = Collector()
    pipeline.visit(collector)
    return collector.steps


def below_the_source(steps: list[AppliedPTransform]) -> Iterator[AppliedPTransform]:
    return (step for step in steps if step.full_label and not step.full_label.startswith("Receive"))


def test_nothing_below_the_source_shuffles_or_keeps_state(steps: list[AppliedPTransform]) -> None:
    below = list(below_the_source(steps))

    assert [step.full_label for step in below if isinstance(step.transform, SHUFFLES)] == []
    assert [
        step.full_label
        for step in below
        if isinstance(step.transform, beam.ParDo) and is_stateful_dofn(step.transform.dofn)
    ] == []


def test_no_step_takes_a_side_input_for_flink_would_not_fuse_it_with_the_source(
    steps: list[AppliedPTransform],
) -> None:
    assert [step.full_label for step in steps if step.side_inputs] == []


def test_the_labels_say_what_the_steps_do(steps: list[AppliedPTransform]) -> None:
    top = [step.full_label for step in steps if step.full_label and "/" not in step.full_label]

    assert top == [
        "Receive from SQS",
        "Mask",
        "Write rows",
        "Delete rows' messages",
        "Write rejections",
        "Delete rejections' messages",
        "Write rejected rows",
        "Delete rejected rows' messages",
    ]
