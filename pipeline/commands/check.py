"""Check queue, database and keyset as `run` does before it starts. No message is taken.

With --print_policy nothing is checked: the AWS policy that the job's role needs is printed. Where the queue is given by
a URL of AWS, nobody is asked for it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import botocore.session

from maskline.aws import environment_region
from maskline.errors import SetupError, UnavailableError
from maskline.pipeline.harmless_text import json_text
from maskline.pipeline.iam_policy import PolicyInputs, job_policy
from maskline.pipeline.options import (
    DEFAULT_STREAM,
    Options,
    hash_keyset_uri,
    job_settings,
    keyset_uri,
    postgres_dsn,
    queue_address,
)
from maskline.pipeline.preflight import Finding, preflight
from maskline.pipeline.printing import echo, notice
from maskline.postgres.dsn import PostgresAuth
from maskline.postgres.rds import RdsEndpoint, rds_endpoint
from maskline.sqs import SqsQueue
from maskline.sqs.encryption import encryption_key
from maskline.streams.stream_files import load_streams


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    Options(parser.add_argument_group("the job")).add_job()
    Options(parser).add("json", "print JSON, an object a line", action="store_true")
    options = Options(parser.add_argument_group("its policy"))
    options.add(
        "print_policy",
        "check nothing; print the AWS policy of exactly this job, from the queue's URL and the options alone",
        action="store_true",
    )
    options.add(
        "queue_kms_key",
        "with --print_policy: the customer managed KMS key that encrypts the queue (SSE-KMS)",
        metavar="ARN",
    )
    options.add_repeated(
        "payload_bucket", "with --print_policy: a bucket of the objects that messages point to", metavar="NAME"
    )


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print what was found, a line each; 2 if the job could not start, 75 if it may be able to later, as things are."""
    if arguments.print_policy:
        print(json.dumps(job_policy(_policy_inputs(arguments)), indent=2))  # noqa: T201
        return 0
    findings = preflight(job_settings(arguments))
    for finding in findings:
        echo(_as_json(finding) if arguments.json else f"{_mark(finding)}  {finding.part}: {finding.text}")
    problems = [finding for finding in findings if finding.is_problem]
    if not problems:
        return 0
    is_temporary = all(finding.is_temporary for finding in problems)
    return (UnavailableError if is_temporary else SetupError).exit_code


def _mark(finding: Finding) -> str:
    if finding.is_problem:
        return "PROBLEM"
    return "warning" if finding.is_warning else "ok     "


def _as_json(finding: Finding) -> str:
    state = _mark(finding).strip().lower()
    found = {"part": finding.part, "state": state, "temporary": finding.is_temporary, "text": finding.text}
    return json_text(json.dumps(found, ensure_ascii=False))


def _policy_inputs(arguments: argparse.Namespace) -> PolicyInputs:
    """Return what the policy is made from, asking SQS for what neither the queue's URL nor an option says."""
    address = queue_address(arguments)
    queue_arn, queue_kms_key = address.arn, arguments.queue_kms_key
    if queue_arn is None:
        attributes = SqsQueue.open(address).attributes()
        queue_arn = attributes.get("QueueArn", "")
        queue_kms_key = queue_kms_key or encryption_key(attributes)
    elif not queue_kms_key:
        notice("where a KMS key of your own encrypts the queue (SSE-KMS), name it by --queue_kms_key")
    return PolicyInputs(
        queue_arn,
        [uri for uri in (keyset_uri(arguments), hash_keyset_uri(arguments)) if uri is not None],
        load_streams(arguments.stream or [DEFAULT_STREAM]).streams,
        environment_region() or botocore.session.get_session().get_config_variable("region"),
        queue_kms_key,
        arguments.payload_bucket,
        _rds_database(arguments),
        finds_queue=not address.is_url,
    )


def _rds_database(arguments: argparse.Namespace) -> RdsEndpoint | None:
    if arguments.postgres_auth != PostgresAuth.RDS_IAM:
        return None
    return rds_endpoint(postgres_dsn(arguments).parameters)
