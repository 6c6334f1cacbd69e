"""The keyset is read when the job runs, and its graph holds only where it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to

from maskline.errors import KeysetError, UsageError
from maskline.keys import StoredKeyset
from maskline.transforms import ReadKeyset
from maskline.transforms.run_context import RunContext
from tests.beam_graph import graph_bytes


def test_the_keyset_is_read_once_as_it_is_stored(stored_keyset: StoredKeyset, keyset_uri: str) -> None:
    with BeamPipeline(runner="FnApiRunner") as pipeline:
        keysets = pipeline | ReadKeyset(keyset_uri)

        assert_that(keysets, equal_to([StoredKeyset(stored_keyset.content, keyset_uri)]))


def test_the_keyset_is_read_when_the_job_runs_and_not_before(stored_keyset: StoredKeyset, tmp_path: Path) -> None:
    path = tmp_path / "later.json"
    pipeline = BeamPipeline(runner="FnApiRunner")
    keysets = pipeline | ReadKeyset(f"file:{path}") | beam.Map(lambda stored: stored.content)
    assert_that(keysets, equal_to([stored_keyset.content]))

    path.touch(mode=0o600)
    path.write_bytes(stored_keyset.content)

    pipeline.run().wait_until_finish()


def test_the_graph_holds_the_uri_and_not_the_key(stored_keyset: StoredKeyset, keyset_uri: str) -> None:
    key = json.loads(stored_keyset.content)["key"][0]["keyData"]["value"].encode()
    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | ReadKeyset(keyset_uri)

    graph = graph_bytes(pipeline)

    assert keyset_uri.encode() in graph
    assert key not in graph
    assert stored_keyset.content not in graph


def test_a_key_in_a_graph_would_be_found(stored_keyset: StoredKeyset) -> None:
    key = json.loads(stored_keyset.content)["key"][0]["keyData"]["value"].encode()
    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([None]) | beam.Map(lambda _, stored: stored, stored_keyset)

    graph = graph_bytes(pipeline)

    assert key in graph


def test_a_keyset_that_cannot_be_read_is_told_to_the_starter_of_the_job(tmp_path: Path) -> None:
    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    _ = pipeline | ReadKeyset(f"file:{tmp_path / 'none.json'}", context)

    with pytest.raises(Exception, match=r"none\.json: No such file or directory"):
        pipeline.run().wait_until_finish()

    assert isinstance(context.failure, KeysetError)


def test_a_uri_of_no_provider_is_refused_before_the_job_runs() -> None:
    with pytest.raises(UsageError, match="give a URI that begins with one of"):
        ReadKeyset("keyset.json")
