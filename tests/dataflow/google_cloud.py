"""Google Cloud as far as a submission asks it: tokens, a bucket of Cloud Storage, and Dataflow's jobs, on loopback.

Source: https://developers.google.com/identity/protocols/oauth2/service-account#httprest,
https://cloud.google.com/storage/docs/json_api/v1, https://cloud.google.com/storage/docs/performing-resumable-uploads,
https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.locations.jobs
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.http_service import HttpRequest, HttpResponse, HttpService

Json: TypeAlias = dict[str, Any]

PROJECT, REGION, BUCKET = "shop", "europe-west3", "maskline-jobs"
TOKEN = "ya29.the-token"
RUNNING = 2
"""``JOB_STATE_RUNNING``: the client asks for enumerations as numbers."""

JOBS_PATH = f"/v1b3/projects/{PROJECT}/locations/{REGION}/jobs"
_STORAGE_PATH = f"/storage/v1/b/{BUCKET}"


class EmulatedGoogle(HttpService):
    """The project `PROJECT` with the bucket `BUCKET`, which answers while the ``with`` block runs.

    Attributes:
        objects: The objects of the bucket by their names.
        jobs: The jobs as they were described, each with its id and its state.
    """

    def __init__(self) -> None:
        super().__init__(keeps_alive=True)
        self.objects: dict[str, bytes] = {}
        self.jobs: list[Json] = []
        self.private_key = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048)
            .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            .decode()
        )
        self._uploads: dict[str, tuple[str, bytearray]] = {}

    def environment(self, directory: Path) -> dict[str, str]:
        """Return the variables that lead a process here, with a service account of the stand-in's own.

        Args:
            directory: Where the service account's file goes.
        """
        account = {
            "type": "service_account",
            "client_email": f"submitter@{PROJECT}.iam.gserviceaccount.com",
            "private_key": self.private_key,
            "token_uri": f"http://{self.host}/token",
            "project_id": PROJECT,
        }
        file = directory / "account.json"
        file.write_text(json.dumps(account))
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(file),
            "STORAGE_EMULATOR_HOST": f"http://{self.host}",
        }

    def public_url(self, uri: str) -> str:
        """Return where an object of a ``gs://`` URI can be read without Google's client."""
        name = uri.removeprefix(f"gs://{BUCKET}/")
        return f"http://{self.host}/download{_STORAGE_PATH}/o/{quote(name, safe='')}?alt=media"

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Answer as Google does."""
        if request.path == "/token":
            return HttpResponse.of_json({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        if request.path.startswith("/download"):
            return HttpResponse(body=self.objects[request.path.removeprefix(f"/download{_STORAGE_PATH}/o/")])
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return HttpResponse.of_json({"error": {"code": 401, "message": "no credentials"}}, 401)
        if request.path == f"/upload{_STORAGE_PATH}/o":
            return self._upload(request)
        if request.path == _STORAGE_PATH:
            return HttpResponse.of_json({"kind": "storage#bucket", "id": BUCKET, "name": BUCKET})
        if request.path == JOBS_PATH and request.method == "POST":
            return self._create_job(json.loads(request.body))
        if match := re.fullmatch(rf"{JOBS_PATH}/([^/]+)(/messages)?", request.path):
            return HttpResponse.of_json({}) if match[2] else self._ask_job(match[1], request)
        return HttpResponse.of_json({"error": {"code": 404, "message": "not found"}}, 404)

    def _upload(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            upload = uuid.uuid4().hex
            self._uploads[upload] = (json.loads(request.body)["name"], bytearray())
            session = f"http://{self.host}{request.path}?uploadType=resumable&upload_id={upload}"
            return HttpResponse(headers={"Location": session})
        name, content = self._uploads[request.query["upload_id"]]
        content += request.body
        if request.headers["content-range"].endswith("/*"):
            return HttpResponse(308, {"Range": f"bytes=0-{len(content) - 1}"})
        self.objects[name] = bytes(content)
        return HttpResponse.of_json(
            {"kind": "storage#object", "bucket": BUCKET, "name": name, "size": str(len(content))}
        )

    def _create_job(self, job: Json) -> HttpResponse:
        self.jobs.append({**job, "id": f"job-{len(self.jobs)}", "currentState": RUNNING})
        return HttpResponse.of_json(self.jobs[-1])

    def _ask_job(self, job_id: str, request: HttpRequest) -> HttpResponse:
        (job,) = (job for job in self.jobs if job["id"] == job_id)
        if request.method == "PUT":
            job["currentState"] = json.loads(request.body)["requestedState"]
        return HttpResponse.of_json(job)
