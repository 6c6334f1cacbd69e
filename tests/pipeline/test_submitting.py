"""Submitting to a cluster that is not there is one clear line."""

from __future__ import annotations

import pytest

from maskline.errors import UnavailableError
from maskline.sqs import QueueAddress
from maskline.stream import StreamDefinition
from pipeline.beam_options import parse_beam_options
from pipeline.job import JobSettings
from pipeline.submitting import submit_job


def test_a_runner_that_fails_is_reported_in_one_line(
    user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = JobSettings(user_logins, QueueAddress("logins"), "postgresql://writer@db/logins", "env:KEYSET")

    def refuse(*_: object) -> None:
        raise RuntimeError("Pipeline failed in state FAILED\nwith details")

    monkeypatch.setattr("apache_beam.Pipeline.run", refuse)

    with pytest.raises(UnavailableError, match=r"^the runner reported: Pipeline failed in state FAILED$"):
        submit_job(job, parse_beam_options(["--runner=FlinkRunner"]))
