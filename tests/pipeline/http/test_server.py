"""The server: what is there, what is not, and who may ask."""

from __future__ import annotations

import http.client

import pytest

from maskline.errors import UsageError
from maskline.pipeline.http.server import Answer, HttpServer


def answer(server: HttpServer, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    found = response.status, dict(response.headers), response.read()
    connection.close()
    return found


def test_a_route_answers_a_get_and_its_head_only_to_head() -> None:
    with HttpServer("127.0.0.1", 0, {"/live": lambda _: Answer(b"no", "text/plain", 503)}) as server:
        got = answer(server, "/live?verbose")
        head = answer(server, "/live", "HEAD")

    assert (got[0], got[1]["Content-Type"], got[2]) == (503, "text/plain", b"no")
    assert (head[0], head[1]["Content-Length"], head[2]) == (503, "2", b"")


@pytest.mark.parametrize(("path", "method", "status"), [("/../server.py", "GET", 404), ("/live", "POST", 501)])
def test_nothing_else_is_served(path: str, method: str, status: int) -> None:
    with HttpServer("127.0.0.1", 0, {}) as server:
        assert answer(server, path, method)[0] == status


def test_the_page_loads_nothing_from_elsewhere_and_is_not_kept() -> None:
    with HttpServer("127.0.0.1", 0, {}) as server:
        _, headers, body = answer(server, "/")

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert headers["Cache-Control"] == "no-store"
    assert b"http" not in body.replace(b"<meta http-equiv", b"")


def test_a_port_that_is_taken_is_a_wrong_option() -> None:
    with (
        HttpServer("127.0.0.1", 0, {}) as server,
        pytest.raises(UsageError, match=f"port {server.port} .*give another"),
    ):
        HttpServer("127.0.0.1", server.port, {})


def test_a_port_that_cannot_be_is_a_wrong_option() -> None:
    with pytest.raises(UsageError, match=r"http_port: cannot listen at 127\.0\.0\.1, port 70000"):
        HttpServer("127.0.0.1", 70_000, {})
