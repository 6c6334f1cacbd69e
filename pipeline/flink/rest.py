"""Flink's REST API.

Source: https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/ops/rest_api/
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import urlsplit

REQUEST_SECONDS = 10


class FlinkRest:
    """A client of the REST API of a cluster's JobManager.

    Args:
        address: Its host and port, or its URL, as ``--flink_master`` names it.
    """

    def __init__(self, address: str) -> None:
        self._url = (address if urlsplit(address).scheme in ("http", "https") else f"http://{address}").rstrip("/")

    def ask(self, path: str, method: str = "GET") -> Any:
        """Call the API and return its answer.

        Args:
            path: The path, ``/overview`` say.
            method: The HTTP method.

        Raises:
            OSError: Nobody answers, or the answer is an error.
        """
        request = urllib.request.Request(f"{self._url}{path}", method=method)  # noqa: S310 - http or https, above
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None
