"""The server: what is there, what is not, and who may ask."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from maskline.errors import UsageError
from maskline.pipeline.http.server import MAX_CLIENTS, Answer, HttpServer
from tests.awaiting import await_until

LIVE = {"/live": lambda _: Answer(b"yes", "text/plain")}


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    """A server at loopback."""
    with HttpServer("127.0.0.1", 0, LIVE) as server:
        yield server


def answer(
    server: HttpServer, path: str, method: str = "GET", headers: dict[str, str] | None = None, host: str = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(host, server.port, timeout=10)
    connection.request(method, path, headers=headers or {})
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


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/../server.py", "GET", 404), ("/none", "HEAD", 404), ("/live", "POST", 501), ("/live", "<b>", 501)],
)
def test_nothing_else_is_served(path: str, method: str, status: int, server: HttpServer) -> None:
    found, _, body = answer(server, path, method)

    assert found == status
    assert b"<b>" not in body


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


def test_clients_that_say_nothing_keep_no_other_from_its_answer() -> None:
    others = _request_threads()
    with HttpServer("127.0.0.1", 0, LIVE) as server, contextlib.ExitStack() as silent:
        clients = [
            silent.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            for _ in range(MAX_CLIENTS)
        ]
        clients[-1].sendall(b"GET /live HTTP/1.1\r\nHost: loc")

        got = answer(server, "/live")
        hung_up_on = clients[0].recv(1)
        await_until(lambda: len(_request_threads() - others) <= MAX_CLIENTS, "the oldest's thread ends")

    assert got[0] == 200
    assert hung_up_on == b"", "the oldest made room"


def _request_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "process_request" in thread.name}


def test_a_client_that_sends_byte_by_byte_is_hung_up_on() -> None:
    with (
        HttpServer("127.0.0.1", 0, LIVE, client_seconds=0.1) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=0.05) as client,
    ):
        answered = None
        while answered is None:
            try:
                client.sendall(b"x")
                answered = client.recv(1)
            except TimeoutError:
                continue
            except OSError:
                answered = b""

    assert answered == b""


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("page.localhost", 200)],
        *[("rebound.example:8080", 421), ("127.0.0.1.example", 421), ("10.0.0.7", 421), ("", 421), ("[", 421)],
    ],
)
def test_a_page_whose_name_was_made_to_lead_to_loopback_reads_nothing(
    host: str, status: int, server: HttpServer
) -> None:
    got = answer(server, "/live", headers={"Host": host})

    assert got[0] == status
    assert status == 200 or b"--http_host" in got[2]


def test_at_an_address_of_the_network_every_name_is_answered() -> None:
    with HttpServer("0.0.0.0", 0, LIVE) as server:
        assert answer(server, "/live", headers={"Host": "logins.pods.example"})[0] == 200


def test_a_client_of_http_1_0_need_not_say_whom_it_asks(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /live HTTP/1.0\r\n\r\n")
        answered = client.makefile("rb").read()

    assert answered.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answered.endswith(b"\r\n\r\nyes")


@pytest.mark.parametrize(
    ("headers", "status"), [({"X-Long": "x" * 70_000}, 431), ({f"X-{n}": "x" for n in range(200)}, 431)]
)
def test_headers_that_are_too_large_or_too_many_are_rejected(
    headers: dict[str, str], status: int, server: HttpServer
) -> None:
    assert answer(server, "/live", headers=headers)[0] == status
    assert answer(server, "/live")[0] == 200


def test_an_address_of_ipv6_is_served_and_named_as_a_url_has_it() -> None:
    with HttpServer("::1", 0, LIVE) as server:
        assert server.url == f"http://[::1]:{server.port}/"
        assert answer(server, "/live", host="::1")[0] == 200


def test_no_name_server_is_asked_who_this_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise AssertionError("a name server was asked, which may not answer for half a minute")

    monkeypatch.setattr(socket, "getfqdn", fail)

    with HttpServer("0.0.0.0", 0, LIVE) as server:
        assert answer(server, "/live")[0] == 200
