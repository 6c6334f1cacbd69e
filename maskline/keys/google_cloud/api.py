"""Calls of a service of Google Cloud over REST, by Google's own library for credentials.

Credentials are Google's application default ones: ``GOOGLE_APPLICATION_CREDENTIALS``, what ``gcloud auth
application-default login`` left, or the service account of the machine. An endpoint other than Google's (of Private
Service Connect, say) comes from the variable that ``gcloud`` reads, too: ``CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS``,
``…_SECRETMANAGER``.

Source: https://cloud.google.com/docs/authentication/application-default-credentials,
https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import google.auth
import google_crc32c
import requests
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import AuthorizedSession

from maskline.errors import KeysetError, KeysetUnavailableError
from maskline.logs import silence_wire_logging
from maskline.plaintext import ALLOWED_VARIABLE, is_plaintext_allowed, is_plaintext_beyond_loopback
from maskline.watchdog import WATCHDOG

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 10.0
MAX_RETRIES = 2
ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
"""What the variable begins with that names another endpoint than Google's; the service's name follows."""

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_BUSY = (429, 500, 502, 503, 504)
_STATUS = re.compile(r"[A-Z][A-Z_]{1,62}")

Session: TypeAlias = Any
"""A `requests.Session` whose requests carry credentials."""

OpenSession = Callable[[], Session]
"""Makes a `Session`."""


class GoogleError(Exception):
    """The service answered with an error.

    Attributes:
        status: Google's name of its kind, ``NOT_FOUND`` say, or the HTTP status.
        reasons: What it tells apart within a kind, ``SERVICE_DISABLED`` say.
    """

    def __init__(self, status: str, reasons: frozenset[str] = frozenset()) -> None:
        super().__init__(status)
        self.status = status
        self.reasons = reasons


def open_session() -> Session:
    """Make a session with the credentials of this process.

    Raises:
        google.auth.exceptions.GoogleAuthError: There are none.
    """
    silence_wire_logging()
    credentials, _ = google.auth.default(scopes=[_SCOPE])
    session = AuthorizedSession(credentials)
    retry = requests.adapters.Retry(
        total=MAX_RETRIES,
        status_forcelist=_BUSY,
        allowed_methods=None,
        backoff_factor=0.2,
        respect_retry_after_header=False,
        raise_on_status=False,
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    return session


class GoogleApi:
    """A service of Google Cloud, as it is asked about one keyset.

    *Guarantee*: an error tells what Google calls it and nothing of what was sent or answered, and no call lasts for
    ever. What comes back damaged is not taken.

    Args:
        uri: The URI of the keyset or key, for errors.
        service: How the service's host begins, ``cloudkms`` say.
        permissions: What its calls need, for errors.
        location: Where a regional resource is, which has an endpoint of its own, or None.
        open_session: Makes the session, when it is first needed.
    """

    def __init__(
        self,
        uri: str,
        service: str,
        permissions: str,
        location: str | None = None,
        open_session: OpenSession = open_session,
    ) -> None:
        self._uri = uri
        self._service = service
        self._permissions = permissions
        self._location = location
        self._open_session = open_session
        self._session: Session | None = None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **parameters: str) -> dict[str, Any]:
        """Call the service, within `mapping_errors`.

        Args:
            method: ``GET``, ``POST`` or ``PATCH``.
            path: What follows the version in the URL.
            body: What is sent, as JSON.
            parameters: What follows the path.

        Raises:
            GoogleError: The service answered with an error.
        """
        if self._session is None:
            self._session = self._open_session()
        answer = self._session.request(
            method,
            f"{self._root(self._session)}/v1/{path}",
            json=body,
            params=parameters,
            timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
        )
        content = _json_of(answer)
        if answer.ok:
            return content
        raise _error_of(answer, content)

    @contextlib.contextmanager
    def mapping_errors(self) -> Iterator[None]:
        """Turn what goes wrong in a block into our errors.

        Raises:
            KeysetError: Only a person can fix it.
            KeysetUnavailableError: The service did not answer as it should.
        """
        try:
            with WATCHDOG.watching(f"keyset {self._uri}: an answer of Google Cloud"):
                yield
        except GoogleError as error:
            raise self._meaning(error) from None
        except (TransportError, requests.RequestException) as error:
            raise self.unavailable(type(error).__name__) from None
        except GoogleAuthError as error:
            raise KeysetError(
                f"keyset {self._uri}: no Google credentials ({type(error).__name__}); set "
                "GOOGLE_APPLICATION_CREDENTIALS, run gcloud auth application-default login, or run where a service "
                "account gives them"
            ) from None

    def unavailable(self, what: str) -> KeysetUnavailableError:
        """Return what to raise where the service did not answer as it should.

        Args:
            what: What happened.
        """
        return KeysetUnavailableError(
            f"keyset {self._uri}: Google Cloud did not answer as it should ({what}); try again"
        )

    def checked(self, data: str, checksum: str | None) -> bytes:
        """Return bytes that the service sent in base64, if they are those that it sent.

        Args:
            data: The bytes.
            checksum: Their CRC32C, as the service computed it.

        Raises:
            KeysetUnavailableError: They were damaged on their way.
        """
        try:
            content = base64.b64decode(data, validate=True)
        except binascii.Error:
            raise self.unavailable("not base64") from None
        if checksum_of(content) != checksum:
            raise self.unavailable("its CRC32C does not fit, so it was damaged on its way")
        return content

    def field(self, answer: dict[str, Any], name: str) -> str:
        """Return a field of an answer, without which it cannot be gone on.

        Args:
            answer: The answer.
            name: The field's name.

        Raises:
            KeysetUnavailableError: The answer has it not.
        """
        value = answer.get(name)
        if not isinstance(value, str) or not value:
            raise self.unavailable(f"an answer without {name}")
        return value

    def _root(self, session: Session) -> str:
        override = os.environ.get(f"{ENDPOINT_VARIABLE}{self._service.upper()}", "").rstrip("/")
        if override and is_plaintext_beyond_loopback(override) and not is_plaintext_allowed():
            raise KeysetError(
                f"keyset {self._uri}: {ENDPOINT_VARIABLE}{self._service.upper()} is http:// and not on this machine, "
                f"so the network could read what is sent; give https://, or allow it: {ALLOWED_VARIABLE}=true"
            )
        if override:
            return override
        universe = session.credentials.universe_domain
        if self._location is not None:
            return f"https://{self._service}.{self._location}.rep.{universe}"
        return f"https://{self._service}.{universe}"

    def _meaning(self, error: GoogleError) -> KeysetError | KeysetUnavailableError:
        status = error.status
        if "SERVICE_DISABLED" in error.reasons:
            return KeysetError(
                f"keyset {self._uri}: its project does not use this service (SERVICE_DISABLED); run: gcloud services "
                f"enable {self._service}.googleapis.com"
            )
        if status in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
            return KeysetError(
                f"keyset {self._uri}: Google Cloud refuses these credentials, or it is not there ({status}); it takes "
                f"{self._permissions}"
            )
        if status in ("NOT_FOUND", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "OUT_OF_RANGE", "ALREADY_EXISTS"):
            return KeysetError(f"keyset {self._uri}: Google Cloud does not take it ({status}); is it the right name?")
        return self.unavailable(status)


def checksum_of(content: bytes) -> str:
    """Return the CRC32C of bytes, as Google's JSON has it.

    Args:
        content: The bytes.

    Source: https://cloud.google.com/kms/docs/data-integrity-guidelines
    """
    return str(google_crc32c.value(content))


def encoded(content: bytes) -> str:
    """Return bytes in base64.

    Args:
        content: The bytes.
    """
    return base64.b64encode(content).decode()


def _json_of(answer: Any) -> dict[str, Any]:
    try:
        content = answer.json()
    except requests.exceptions.JSONDecodeError:
        if answer.ok:
            raise
        return {}
    return content if isinstance(content, dict) else {}


def _error_of(answer: Any, content: dict[str, Any]) -> GoogleError:
    error = content.get("error")
    if not isinstance(error, dict):
        return GoogleError(f"HTTP {answer.status_code}")
    status = str(error.get("status"))
    details = error.get("details", [])
    return GoogleError(
        # Google's own texts may quote what it was sent, so no more than its names are passed on.
        status if _STATUS.fullmatch(status) else f"HTTP {answer.status_code}",
        frozenset(str(detail["reason"]) for detail in details if isinstance(detail, dict) and "reason" in detail),
    )
