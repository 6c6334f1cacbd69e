"""A worker that logs all it knows, as a cluster may have it do, shows no key and no message."""

from __future__ import annotations

import contextlib
import importlib
import logging

import pytest

from maskline.keys import StoredKeyset, keyset_provider, open_keyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_store import store_keyset
from maskline.logs import WIRE_LOGGERS, silence_wire_logging
from maskline.sqs import QueueAddress, SqsQueue, connections
from tests.aws_emulation import EmulatedAws
from tests.maskline.key_traces import holds, keys_of, traces


@pytest.fixture(autouse=True)
def _a_worker_at_debug(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beam's worker sets the level of the root logger, and knows nothing of other loggers."""
    for name in WIRE_LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined]
    caplog.set_level(logging.DEBUG)


def test_a_keyset_from_kms_leaves_no_key_in_the_log(
    aws: EmulatedAws, stored_keyset: StoredKeyset, caplog: pytest.LogCaptureFixture
) -> None:
    secret = keyset_provider("aws-secretsmanager://maskline/debugged")
    wrapped = keyset_provider(f"aws-kms://{aws.create_kms_key()}?keyset=aws-secretsmanager://maskline/wrapped")

    for provider in (secret, wrapped):
        store_keyset(keyset_handle(stored_keyset), provider)
        open_keyset(provider.fetch())

    (key,) = keys_of(stored_keyset.content)
    assert caplog.records
    assert not holds(caplog.text.encode(), traces(key))


def test_messages_leave_no_body_in_the_log(
    queue_address: QueueAddress, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_shared", {})
    queue = SqsQueue.open(queue_address)

    queue.send(["203.0.113.7"])
    (message,) = queue.receive(1, 1, 10)

    assert message.body == "203.0.113.7"
    assert "203.0.113.7" not in caplog.text


@pytest.mark.parametrize(
    ("library", "opener", "arguments", "module"),
    [
        ("hvac", "vault.open_vault", [], "urllib3.connectionpool"),
        ("google.auth", "google_cloud.api.open_session", [], "google.auth.transport.requests"),
        ("azure.keyvault.keys", "azure_key_vault.clients.open_keys", ["https://v.vault.azure.net"], "azure.core"),
        ("azure.keyvault.secrets", "azure_key_vault.clients.open_secrets", ["https://v.vault.azure.net"], "azure.core"),
    ],
)
def test_a_client_of_another_cloud_is_silenced_before_it_sends_anything(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    opener: str,
    arguments: list[str],
    module: str,
) -> None:
    pytest.importorskip(library, reason="its extra is not installed")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
    place, _, name = f"maskline.keys.{opener}".rpartition(".")
    with contextlib.suppress(Exception):  # Google's looks for credentials at once
        getattr(importlib.import_module(place), name)(*arguments)

    logging.getLogger(module).debug("Request body: 203.0.113.7")

    assert "203.0.113.7" not in caplog.text


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_level_of_a_single_module_brings_no_body_either(
    queue_address: QueueAddress, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(connections, "_shared", {})

    def override() -> None:
        """Do what Beam does for --sdk_harness_log_level_overrides='{"botocore.parsers":"DEBUG"}' and the like."""
        for name in ("botocore.parsers", "botocore.endpoint", "botocore", "urllib3.connectionpool"):
            caplog.set_level(logging.DEBUG, logger=name)

    if when == "before":
        override()
    queue = SqsQueue.open(queue_address)
    if when == "after":
        override()

    queue.send(["203.0.113.7"])

    assert "203.0.113.7" not in caplog.text


@pytest.mark.parametrize(
    "module",
    [
        "boto3.resources.action",
        "botocore.parsers",
        "s3transfer.tasks",
        "urllib3.connectionpool",
        "google.auth.transport.requests",
        "google.auth._helpers",
        "msal.application",
        "azure.core.pipeline.policies.http_logging_policy",
        "azure.identity._internal.get_token_mixin",
    ],
)
def test_no_module_of_a_clouds_library_brings_its_details_whatever_its_own_level(
    caplog: pytest.LogCaptureFixture, module: str
) -> None:
    silence_wire_logging()
    caplog.set_level(logging.DEBUG, logger=module)

    logging.getLogger(module).debug("Request body: 203.0.113.7")

    assert "203.0.113.7" not in caplog.text


def test_azures_library_brings_no_headers_either_which_it_logs_as_information(caplog: pytest.LogCaptureFixture) -> None:
    silence_wire_logging()
    caplog.set_level(logging.DEBUG, logger="azure.core.pipeline.policies.http_logging_policy")

    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").info("Request URL: 'https://vault/secrets'")

    assert "https://vault" not in caplog.text


def test_what_is_no_detail_still_reaches_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    silence_wire_logging()
    silence_wire_logging()

    logging.getLogger("botocore.credentials").info("Found credentials in environment variables.")

    assert [record.message for record in caplog.records] == ["Found credentials in environment variables."]


def test_a_quieter_level_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("botocore").setLevel(logging.ERROR)

    silence_wire_logging()

    assert logging.getLogger("botocore").level == logging.ERROR
