"""The module makes what the provider for AWS knows, refers to what there is, and allows what is needed alone."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest

from tests.deploy.provider_schema import SCHEMAS, Kind
from tests.deploy.tools_built import DEPLOY

hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 is not installed; tests/requirements.txt has it")

FOLDER = DEPLOY / "terraform"
TEXT = "\n".join(re.sub(r"#.*", "", file.read_text()) for file in sorted(FOLDER.glob("*.tf")))
MODULE = hcl2.loads(TEXT)
JOB_MAY = {
    "kms:Decrypt",
    "s3:GetObject",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
}

takes_schemas = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason="the provider's schema is not there; tests/deploy/fetch.sh fetches it where npm is"
)


def blocks(kind: str) -> dict[str, dict[str, Any]]:
    """Return all blocks of a kind by their address."""
    prefix = "data." if kind == "data" else ""
    return {
        f"{prefix}{_bare(type_)}.{_bare(name)}": body
        for block in MODULE[kind]
        for type_, named in block.items()
        if not type_.startswith("__")
        for name, body in named.items()
        if not name.startswith("__")
    }


def kind_of(address: str) -> Kind:
    data, _, rest = address.rpartition("data.")
    assert not data
    return Kind(f"data_{rest.split('.')[0]}" if address.startswith("data.") else rest.split(".")[0])


@takes_schemas
def test_the_provider_knows_every_argument_and_misses_none() -> None:
    found = {
        address: list(kind_of(address).problems(body))
        for kind in ("resource", "data")
        for address, body in blocks(kind).items()
    }

    assert len(found) > 12
    assert {address: wrong for address, wrong in found.items() if wrong} == {}


@takes_schemas
def test_an_argument_that_the_provider_does_not_know_and_one_that_is_missing_are_found() -> None:
    alarm = {**blocks("resource")["aws_cloudwatch_metric_alarm.age"], "treshold": 1}
    del alarm["alarm_name"]
    document = {"statement": [{"action": ["sqs:SendMessage"]}]}

    assert set(Kind("aws_cloudwatch_metric_alarm").problems(alarm)) == {
        "treshold is not known",
        "alarm_name is missing",
    }
    assert list(Kind("data_aws_iam_policy_document").problems(document)) == ["statement.action is not known"]


@takes_schemas
def test_every_reference_leads_to_an_attribute_of_what_there_is() -> None:
    there = blocks("resource") | blocks("data")
    references = set(re.findall(r"(?<![\w./\"])((?:data\.)?aws_\w+\.\w+)\.(\w+)", TEXT))

    assert len(references) > 12
    for address, attribute in references:
        assert address in there, address
        assert attribute in kind_of(address).attributes, f"{address}.{attribute}"


def test_every_variable_is_declared_used_and_described() -> None:
    declared = {_bare(name): body for block in MODULE["variable"] for name, body in block.items() if name[0] != "_"}

    assert set(declared) == set(re.findall(r"\bvar\.(\w+)", TEXT))
    assert all({"description", "type"} <= body.keys() for body in declared.values())


def test_the_job_may_do_what_it_needs_and_no_more_and_aws_has_each_action() -> None:
    job = re.search(r'data "aws_iam_policy_document" "job" \{(.*?)^\}', TEXT, re.MULTILINE | re.DOTALL)
    assert job
    actions = set(re.findall(r'"((?:sqs|kms|s3):\w+)"', job[1]))

    assert actions == JOB_MAY
    assert '"*"' not in job[1]
    for action in actions:
        service, _, name = action.partition(":")
        client = boto3.client(service, region_name="eu-central-1")
        assert name in client.meta.service_model.operation_names


def test_messages_wait_for_as_long_as_sqs_allows_and_are_not_given_up_early() -> None:
    for name in ("messages", "dead_letters"):
        queue = blocks("resource")[f"aws_sqs_queue.{name}"]
        assert queue["message_retention_seconds"] == 14 * 24 * 3600
        assert "aws_kms_key.queue" in queue["kms_master_key_id"]
    assert "aws_sqs_queue.dead_letters.arn" in blocks("resource")["aws_sqs_queue.messages"]["redrive_policy"]


def test_the_keyset_s_key_opens_for_the_job_what_is_a_keyset_and_nothing_else() -> None:
    policy = re.search(r'Sid\s+= "TheJobOpensTheKeyset"(.*?)\n      \}', TEXT, re.DOTALL)
    assert policy

    assert re.findall(r'"kms:\w+"', policy[1])[0] == '"kms:Decrypt"'
    (context,) = re.findall(r'"kms:EncryptionContext:associatedData" = "(\w+)"', policy[1])
    assert bytes.fromhex(context) == b"maskline.keyset"


def _bare(label: str) -> str:
    return label.strip('"')
