"""The job on a Flink cluster of this machine, as one program that is measured with all that belongs to it.

``python -m benchmarks.flink_job --parallelism 2`` starts a cluster and a pool of SDK workers, submits the job that the
``MASKLINE_`` variables describe, and takes all of it down at SIGTERM.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions

from maskline.pipeline.command_parser import CommandParser
from maskline.pipeline.flink.local_cluster import FlinkCluster
from maskline.pipeline.flink.options import set_flink_defaults
from maskline.pipeline.flink.worker_pool import WorkerPool
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.options import Options, job_settings

FLINK = Path(__file__).parents[1] / ".cache" / "flink"
HOME = FLINK / "pyflink"
JOB_SERVER = FLINK / "job-server" / "job-server.jar"


def why_it_cannot_start() -> str | None:
    """Return what is missing on this machine and how to get it, or None where all is there."""
    if not HOME.is_dir() or not JOB_SERVER.exists():
        return (
            f"Flink and its job server are not in {FLINK}; where Java and Maven are installed, deploy/flink/fetch.sh "
            "fetches them"
        )
    return None


def main() -> None:
    """Run until SIGTERM."""
    parser = CommandParser(prog="python -m benchmarks.flink_job")
    Options(parser).add_job()
    parser.add_argument("--parallelism", type=int, default=1)
    arguments = parser.parse_args()
    job = msgspec.structs.replace(job_settings(arguments), pollers=arguments.parallelism)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="maskline-flink-") as directory:
        path = Path(directory)
        with (
            FlinkCluster(HOME, path / "flink", slots=arguments.parallelism) as cluster,
            WorkerPool(path / "workers.txt") as workers,
            _submitted(job, _options(job, cluster, workers)),
        ):
            ended.wait()


@contextlib.contextmanager
def _submitted(job: JobSettings, options: PipelineOptions) -> Iterator[None]:
    pipeline = beam.Pipeline(options=options)
    build(pipeline, job)
    result = pipeline.run()
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # the runner calls a canceled job a failed one
            result.cancel()
            result.wait_until_finish()


def _options(job: JobSettings, cluster: FlinkCluster, workers: WorkerPool) -> PipelineOptions:
    flags = [
        "--runner=FlinkRunner",
        f"--flink_master={cluster.address}",
        "--environment_type=EXTERNAL",
        f"--environment_config={workers.address}",
        f"--parallelism={job.pollers}",
        # Else all slots of a TaskManager share one Python process, and with it one core.
        f"--sdk_worker_parallelism={job.pollers}",
        f"--flink_job_server_jar={JOB_SERVER}",
    ]
    return set_flink_defaults(PipelineOptions(flags), job)


if __name__ == "__main__":
    main()
