"""The picture of the graph shows the steps and arrows that the job has."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import apache_beam as beam
import pytest

from manual.graph import ARROWS, STEPS, picture
from manual.pictures import PALETTES, Palette
from maskline.keys import KeysetUri
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import load_stream


@pytest.fixture
def pipeline() -> beam.Pipeline:
    """The job as `run` builds it where nothing else is said."""
    pipeline = beam.Pipeline()
    queue = QueueAddress("https://sqs.eu-central-1.amazonaws.com/123456789012/logins")
    postgres = PostgresDsn.parse("postgresql://maskline@db.example.com/logins")
    build(pipeline, JobSettings(load_stream("user_logins"), queue, postgres, KeysetUri.parse("file:keyset.json")))
    return pipeline


def test_its_steps_and_arrows_are_those_of_the_job(pipeline: beam.Pipeline) -> None:
    (root,) = pipeline.transforms_stack
    made_by = {id(output): step for step in root.parts for output in step.outputs.values()}

    assert {(step.full_label, type(step.transform).__name__) for step in root.parts} == {
        (step.label, step.transform) for step in STEPS
    }
    assert {
        (made_by[id(given)].full_label, step.full_label)
        for step in root.parts
        for given in step.inputs
        if id(given) in made_by
    } == set(ARROWS)


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
def test_the_pictures_are_those_that_are_drawn_now(palette: Palette) -> None:
    assert palette.path("graph").read_text() == picture(palette)


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
def test_a_picture_fetches_nothing_and_can_be_parsed(palette: Palette) -> None:
    for name in ("graph", "first-run"):
        text = palette.path(name).read_text()
        ElementTree.fromstring(text)
        assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
