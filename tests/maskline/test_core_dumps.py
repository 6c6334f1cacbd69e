"""A process that holds keys or messages in clear leaves no core file and gives its memory to nobody."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT

REPORT = """
import ctypes, resource
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
"""
FORBIDDEN = "(0, 0) 0"

STARTS = {
    "a command": """
import sys
from maskline.pipeline import cli
sys.argv = ["maskline", "--help"]
try:
    cli.run()
except SystemExit:
    pass
""",
    "one of several processes of a run": """
from multiprocessing import Pipe
from maskline.pipeline.runners.processes import _worker_main
ours, theirs = Pipe()
ours.close()  # whoever started it has ended
_worker_main(theirs, None, [], "warning", [])
""",
    "a worker that opens a keyset": """
from maskline.streams.definition import load_stream
from maskline.transforms.mask import _MaskBySideInput
from maskline.transforms.run_context import RunContext
from tests.maskline.keysets import opened
_MaskBySideInput(load_stream("user_logins"), RunContext()).use(opened(7))
""",
    "a worker that receives messages": """
from maskline.errors import QueueError
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.transforms.run_context import RunContext
from maskline.transforms.reading import _Poll
def unreachable(_):
    raise QueueError("not there")
try:
    _Poll(QueueAddress("logins"), ReceiveSettings(), False, RunContext(), unreachable).setup()
except QueueError:
    pass
""",
}


def run_python(code: str, directory: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own that might leave a core file."""

    def allow_core_files() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=allow_core_files,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_it_is_forbidden_before_there_is_anything_to_hide(start: str) -> None:
    result = run_python(start + REPORT)

    assert result.stdout.splitlines()[-1] == FORBIDDEN, result.stderr


@pytest.mark.heavy
def test_a_process_that_breaks_down_leaves_no_core_file(tmp_path: Path) -> None:
    code = "import os; from maskline.core_dumps import forbid_core_dumps; forbid_core_dumps(); os.abort()"

    result = run_python(code, tmp_path)

    assert result.returncode == -6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.heavy
@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, which can become somebody else")
def test_another_process_of_the_same_user_cannot_read_its_memory_and_its_own_life_goes_on() -> None:
    code = """
import ctypes, os, subprocess
from maskline.core_dumps import forbid_core_dumps
def readable_by_others():
    return subprocess.run(["sh", "-c", f": < /proc/{os.getpid()}/mem"], stderr=subprocess.DEVNULL).returncode == 0
os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # to become somebody else has taken it already
before = readable_by_others()
forbid_core_dumps()
print(before, readable_by_others(), len(os.listdir("/proc/self/fd")) > 0, len(open("/proc/self/stat").read()) > 0)
"""

    result = run_python(code)

    assert result.stdout == "True False True True\n", result.stderr
