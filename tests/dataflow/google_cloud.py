"""Google Cloud as far as a submission asks it: tokens, a bucket of Cloud Storage, and Dataflow's jobs, on loopback.

Source: https://developers.google.com/identity/protocols/oauth2/service-account#httprest,
https://cloud.google.com/storage/docs/json_api/v1, https://cloud.google.com/storage/docs/performing-resumable-uploads,
https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.locations.jobs
"""

from __future__ import annotations

import http.server
import json
import re
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Json: TypeAlias = dict[str, Any]
Answer: TypeAlias = tuple[int, dict[str, str], bytes]

PROJECT, REGION, BUCKET = "shop", "europe-west3", "maskline-jobs"
TOKEN = "ya29.the-token"
RUNNING = 2
"""``JOB_STATE_RUNNING``: the client asks for enumerations as numbers."""

JOBS_PATH = f"/v1b3/projects/{PROJECT}/locations/{REGION}/jobs"
_STORAGE_PATH = f"/storage/v1/b/{BUCKET}"


class Request(msgspec.Struct, frozen=True):
    """What was asked.

    Attributes:
        method: The method.
        path: The path, without what follows it.
        query: What follows the path.
        headers: The headers, by their names in small letters.
        body: The body.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class EmulatedGoogle:
    """The project `PROJECT` with the bucket `BUCKET`, which answers while the ``with`` block runs.

    Attributes:
        requests: Every request.
        objects: The objects of the bucket by their names.
        jobs: The jobs as they were described, each with its id and its state.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.objects: dict[str, bytes] = {}
        self.jobs: list[Json] = []
        self.private_key = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048)
            .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            .decode()
        )
        self._uploads: dict[str, tuple[str, bytearray]] = {}

    def __enter__(self) -> EmulatedGoogle:
        """Start to listen."""
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def do_PUT(self) -> None:
                self._serve()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

            def _serve(self) -> None:
                url = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, unquote(url.path), dict(parse_qsl(url.query)), headers, body)
                service.requests.append(request)
                status, answer_headers, content = service._answer(request)
                self.send_response(status)
                for name, value in {**answer_headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._server.server_address[1])

    def environment(self, directory: Path) -> dict[str, str]:
        """Return the variables that lead a process here, with a service account of the stand-in's own.

        Args:
            directory: Where the service account's file goes.
        """
        account = {
            "type": "service_account",
            "client_email": f"submitter@{PROJECT}.iam.gserviceaccount.com",
            "private_key": self.private_key,
            "token_uri": f"http://127.0.0.1:{self.port}/token",
            "project_id": PROJECT,
        }
        file = directory / "account.json"
        file.write_text(json.dumps(account))
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(file),
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self.port}",
        }

    def public_url(self, uri: str) -> str:
        """Return where an object of a ``gs://`` URI can be read without Google's client."""
        name = uri.removeprefix(f"gs://{BUCKET}/")
        return f"http://127.0.0.1:{self.port}/download{_STORAGE_PATH}/o/{quote(name, safe='')}?alt=media"

    def _answer(self, request: Request) -> Answer:
        if request.path == "/token":
            return _json({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        if request.path.startswith("/download"):
            return 200, {}, self.objects[request.path.removeprefix(f"/download{_STORAGE_PATH}/o/")]
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json({"error": {"code": 401, "message": "no credentials"}}, 401)
        if request.path == f"/upload{_STORAGE_PATH}/o":
            return self._upload(request)
        if request.path == _STORAGE_PATH:
            return _json({"kind": "storage#bucket", "id": BUCKET, "name": BUCKET})
        if request.path == JOBS_PATH and request.method == "POST":
            return self._create_job(json.loads(request.body))
        if match := re.fullmatch(rf"{JOBS_PATH}/([^/]+)(/messages)?", request.path):
            return _json({}) if match[2] else self._ask_job(match[1], request)
        return _json({"error": {"code": 404, "message": "not found"}}, 404)

    def _upload(self, request: Request) -> Answer:
        if request.method == "POST":
            upload = uuid.uuid4().hex
            self._uploads[upload] = (json.loads(request.body)["name"], bytearray())
            session = f"http://127.0.0.1:{self.port}{request.path}?uploadType=resumable&upload_id={upload}"
            return 200, {"Location": session}, b""
        name, content = self._uploads[request.query["upload_id"]]
        content += request.body
        if request.headers["content-range"].endswith("/*"):
            return 308, {"Range": f"bytes=0-{len(content) - 1}"}, b""
        self.objects[name] = bytes(content)
        return _json({"kind": "storage#object", "bucket": BUCKET, "name": name, "size": str(len(content))})

    def _create_job(self, job: Json) -> Answer:
        self.jobs.append({**job, "id": f"job-{len(self.jobs)}", "currentState": RUNNING})
        return _json(self.jobs[-1])

    def _ask_job(self, job_id: str, request: Request) -> Answer:
        (job,) = (job for job in self.jobs if job["id"] == job_id)
        if request.method == "PUT":
            job["currentState"] = json.loads(request.body)["requestedState"]
        return _json(job)


def _json(content: Json, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()
