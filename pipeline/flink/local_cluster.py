"""A standalone Flink cluster on this machine: one JobManager, TaskManagers, REST on loopback.

Source: https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/deployment/resource-providers/standalone/overview/
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from maskline.errors import SetupError
from maskline.pipeline.flink.rest import FlinkRest
from maskline.pipeline.local.processes import free_port, start_child, stop_child, stop_child_left_behind

START_SECONDS = 90
STOP_SECONDS = 15

QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
"""In the minutes that this cluster lives, Java's thorough compiler would take more CPU than all else in the JVMs."""


class FlinkCluster:
    """A Flink cluster that runs while the ``with`` block does. It keeps nothing: each start is a new cluster.

    What an earlier process left behind in the same directory, killed before it could stop it, is killed first.

    Args:
        home: Where Flink is, the directory that holds its ``bin``, ``lib`` and ``conf``.
        directory: Where its configuration, logs and temporary files go; what was there before is removed.
        slots: How many slots each TaskManager has.
        settings: Flink settings to add to its own, ``{"metrics.reporters": "prom"}`` say.
    """

    def __init__(self, home: Path, directory: Path, slots: int = 4, settings: dict[str, str] | None = None) -> None:
        self._home = home
        self._directory = directory
        self._slots = slots
        self._settings = settings or {}
        self._jobmanager: subprocess.Popen[bytes] | None = None
        self._taskmanagers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> FlinkCluster:
        """Start a JobManager and a TaskManager, and wait until both are there.

        Raises:
            SetupError: They did not start; the message names their logs.
        """
        if shutil.which("java") is None:
            raise SetupError("flink: Java is not installed; Flink 1.19 takes Java 11 or 17")
        self.stop_left_behind(self._directory)
        shutil.rmtree(self._directory, ignore_errors=True)
        for name in ("conf", "log", "tmp"):
            (self._directory / name).mkdir(parents=True)
        self._rest_port = free_port()
        self._write_configuration()
        try:
            self.start_jobmanager()
            self.start_taskmanager()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        for process in (*self._taskmanagers, self._jobmanager):
            if process is not None:
                stop_child(process, STOP_SECONDS)

    @staticmethod
    def stop_left_behind(directory: Path) -> None:
        """Kill what an earlier process left running in a directory.

        Args:
            directory: The directory it was started in.
        """
        for left_behind in directory.glob("*manager-*.pid"):
            stop_child_left_behind(left_behind, "flink")

    @property
    def address(self) -> str:
        """Host and port of REST and of Flink's own interface."""
        return f"127.0.0.1:{self._rest_port}"

    @property
    def log_directory(self) -> Path:
        """Where its logs are."""
        return self._directory / "log"

    @property
    def jobmanager(self) -> subprocess.Popen[bytes]:
        """The JobManager's process."""
        assert self._jobmanager is not None, "started by the with block"
        return self._jobmanager

    @property
    def taskmanagers(self) -> list[subprocess.Popen[bytes]]:
        """The TaskManagers' processes, those that ended included."""
        return list(self._taskmanagers)

    def start_jobmanager(self) -> None:
        """Start a JobManager, in place of the one before, if any; it knows nothing of earlier jobs."""
        if self._jobmanager is not None:
            stop_child(self._jobmanager, STOP_SECONDS)
        self._jobmanager = self._start("jobmanager")
        self._await(lambda: "taskmanagers" in self.rest("/overview"), "JobManager")

    def start_taskmanager(self) -> None:
        """Add a TaskManager, and wait until the JobManager knows it."""
        before = self._known_taskmanagers()
        self._taskmanagers.append(self._start("taskmanager"))
        self._await(lambda: self._known_taskmanagers() - before, "TaskManager")

    def rest(self, path: str, method: str = "GET") -> Any:
        """Call the REST API.

        Args:
            path: The path, ``/overview`` say.
            method: The HTTP method.

        Raises:
            OSError: Nobody answers, or the answer is an error.
        """
        return FlinkRest(self.address).ask(path, method)

    def _known_taskmanagers(self) -> set[str]:
        return {each["id"] for each in self.rest("/taskmanagers")["taskmanagers"]}

    def _write_configuration(self) -> None:
        rpc_port = free_port()
        settings = {
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": str(rpc_port),
            "jobmanager.bind-host": "127.0.0.1",
            "jobmanager.memory.process.size": "1024m",
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": str(self._rest_port),
            "taskmanager.host": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1",
            "taskmanager.memory.process.size": "1536m",
            "taskmanager.numberOfTaskSlots": str(self._slots),
            "heartbeat.interval": "2000",
            "heartbeat.timeout": "10000",
            "io.tmp.dirs": str(self._directory / "tmp"),
            "web.submit.enable": "true",
            "env.java.opts.all": f"{_java_options(self._home)} {QUICK_COMPILER}",
        } | self._settings
        lines = "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
        (self._directory / "conf" / "config.yaml").write_text(lines)
        for file in (self._home / "conf").glob("log*"):
            shutil.copy(file, self._directory / "conf")

    def _start(self, part: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "FLINK_CONF_DIR": str(self._directory / "conf"),
            "FLINK_LOG_DIR": str(self._directory / "log"),
            "FLINK_PID_DIR": str(self._directory / "tmp"),
        }
        name = f"{part}-{len(self._taskmanagers)}"
        command = ["bash", str(self._home / "bin" / f"{part}.sh"), "start-foreground"]
        return start_child(command, environment, self.log_directory / f"{name}.txt", self._directory / f"{name}.pid")

    def _await(self, condition: Any, what: str) -> None:
        give_up = time.monotonic() + START_SECONDS
        while not _holds(condition):
            if time.monotonic() > give_up:
                raise SetupError(f"flink: the {what} did not start; see {self.log_directory}")
            time.sleep(0.1)


def _holds(condition: Any) -> bool:
    try:
        return bool(condition())
    except (OSError, ValueError):
        return False


def _java_options(home: Path) -> str:
    """Return the options that Flink's own configuration gives Java 17."""
    for line in (home / "conf" / "config.yaml").read_text().splitlines():
        name, _, value = line.strip().partition(": ")
        if name == "all" and value.startswith("--add-"):
            return value
    return ""
