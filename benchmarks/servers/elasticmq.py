"""ElasticMQ, an SQS API in Java, quicker than the embedded one and different from it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from maskline.errors import SetupError
from maskline.pipeline.local.processes import await_listening, free_port
from maskline.pipeline.local.sqs import create_queue

PROJECT = Path(__file__).parents[2]
ELASTICMQ = Path(os.environ.get("ELASTICMQ_LIBRARIES", PROJECT / ".cache" / "elasticmq"))
START_SECONDS = 60


class ElasticMq:
    """ElasticMQ, while the ``with`` block runs.

    Args:
        directory: Where its configuration and its log go.
        heap_megabytes: The most memory that its messages may take; a message takes about 2 KB.
    """

    def __init__(self, directory: Path, heap_megabytes: int = 768) -> None:
        self._directory = directory
        self._heap_megabytes = heap_megabytes

    @staticmethod
    def why_it_cannot_start() -> str | None:
        """Return what is missing on this machine and how to get it, or None where all is there."""
        if shutil.which("java") is None:
            return "ElasticMQ needs Java, and there is no java on the PATH; install Java 11 or later"
        if not ELASTICMQ.is_dir():
            return (
                f"ElasticMQ is not in {ELASTICMQ}; where Maven is installed, benchmarks/servers/fetch_elasticmq.sh "
                "fetches it"
            )
        return None

    def __enter__(self) -> ElasticMq:
        """Start it, and wait until it answers.

        Raises:
            SetupError: Java or ElasticMQ is missing, or it did not start.
        """
        missing = self.why_it_cannot_start()
        if missing is not None:
            raise SetupError(missing)
        self._port = free_port()
        configuration = self._directory / "elasticmq.conf"
        configuration.write_text(_CONFIGURATION.format(port=self._port))
        logging = self._directory / "logback.xml"
        logging.write_text("<configuration/>")
        log_file = self._directory / "elasticmq.log"
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                [  # noqa: S607 - whichever Java the user has
                    "java",
                    f"-Xmx{self._heap_megabytes}m",
                    f"-Dconfig.file={configuration}",
                    f"-Dlogback.configurationFile={logging}",
                    "-cp",
                    f"{ELASTICMQ}/*",
                    "org.elasticmq.server.Main",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the job in front of it
            )
        if not await_listening(self._process, self._port, START_SECONDS):
            self.__exit__()
            raise SetupError(f"ElasticMQ did not start on port {self._port}; see {log_file}")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    @property
    def endpoint(self) -> str:
        """The URL of its API."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def create_queue(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        """Create a queue and return its URL."""
        return create_queue(self.endpoint, name, attributes)


_CONFIGURATION = """
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
generate-node-address = false
queues {{}}
queues-storage {{ enabled = false }}
messages-storage {{ enabled = false }}
aws {{ region = us-east-1, accountId = 000000000000 }}
"""
