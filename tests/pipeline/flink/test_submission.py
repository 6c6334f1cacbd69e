"""A job that may run on at Flink is never passed over in silence. tests/flink/test_ctrl_c.py has the rest."""

from __future__ import annotations

import pytest

from maskline.errors import RunnerError
from maskline.pipeline.beam_options import parse_beam_options
from maskline.pipeline.flink.submission import FlinkSubmission, SubmissionOptions


def test_each_submission_has_a_mark_of_its_own_that_beam_hands_on() -> None:
    first, second = (parse_beam_options(["--runner=FlinkRunner"]) for _ in range(2))

    FlinkSubmission(first)
    FlinkSubmission(second)

    marks = {options.get_all_options()["maskline_submission"] for options in (first, second)}
    assert len(marks) == 2
    assert None not in marks
    assert first.view_as(SubmissionOptions).maskline_submission in marks


def test_a_master_that_says_nothing_of_where_flink_is_cannot_be_asked() -> None:
    submission = FlinkSubmission(parse_beam_options(["--runner=FlinkRunner"]))

    with pytest.raises(RunnerError, match=r"the job may run on: flink_master is \[auto\]"):
        submission.cancel()


def test_a_flink_that_does_not_answer_is_named(nobodys_port: int) -> None:
    nobody = f"localhost:{nobodys_port}"
    submission = FlinkSubmission(parse_beam_options(["--runner=FlinkRunner", f"--flink_master={nobody}"]))

    with pytest.raises(RunnerError, match=f"the job may run on: {nobody} cannot be asked .*refused"):
        submission.cancel()
