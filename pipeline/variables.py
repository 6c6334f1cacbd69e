"""The environment variables that maskline reads, and those that only look so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from maskline.pipeline.options import VARIABLE_PREFIX, variable_of
from maskline.pipeline.suggestions import suggestion

OPTIONS = (
    "all",
    "allow_cleartext_keyset",
    "allow_plaintext_endpoint",
    "allow_short_retention",
    "backup",
    "beside",
    "budget",
    "by",
    "column",
    "csv",
    "data_directory",
    "db_retry_seconds",
    "directory",
    "dry_run",
    "flink_home",
    "flink_job_server_jar",
    "follow",
    "force",
    "emf_namespace",
    "fresh",
    "hash_keyset",
    "http_host",
    "http_port",
    "interval_seconds",
    "json",
    "keyset",
    "kind",
    "lake",
    "lake_clear",
    "lake_clear_group",
    "lake_clear_kms_key",
    "lake_clear_profile",
    "lake_opaque",
    "lake_opaque_group",
    "lake_opaque_kms_key",
    "lake_opaque_profile",
    "limit",
    "log_level",
    "long_poll_seconds",
    "match",
    "message_id",
    "messages",
    "micro_batch_seconds",
    "micro_batch_size",
    "name",
    "no_database",
    "no_lake",
    "not_theirs",
    "older_than",
    "otlp_endpoint",
    "output_prefix",
    "parallelism",
    "payload_bucket",
    "plot",
    "pollers",
    "possible_values",
    "postgres",
    "postgres_auth",
    "print_policy",
    "processes",
    "publish_seconds",
    "queue",
    "queue_endpoint",
    "queue_kms_key",
    "raw",
    "reason",
    "rejection_reason",
    "retention_hours",
    "require_tls",
    "review",
    "revision",
    "rows_per_file",
    "send",
    "shares",
    "sql",
    "sqs_connections",
    "stall_seconds",
    "stdin",
    "stop_when_rejected",
    "stream",
    "target",
    "threshold",
    "top",
    "unmatched",
    "until_empty",
    "user_id",
    "visibility_timeout_seconds",
    "where",
)
"""The options of all commands. Written down, for to import the commands takes seconds; a test compares them."""

FORMER_VARIABLES = ("MASKLINE_INTERVAL",)
VARIABLES = frozenset({*map(variable_of, OPTIONS), *FORMER_VARIABLES})
OF_TESTS = "MASKLINE_TEST_"
_OF_KUBERNETES = re.compile(r"MASKLINE_(\w+_)?(SERVICE_HOST|SERVICE_PORT|PORT)(_\w+)?")
"""What every container is given where there is a service whose name begins with maskline.

Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""
_KEYSET_IN_VARIABLE = re.compile(r"\benv:(\w+)")


def unknown_variables(environment: Mapping[str, str], arguments: Iterable[str]) -> Iterator[str]:
    """Return a sentence for each variable that begins with ``MASKLINE_`` and belongs to no option.

    Args:
        environment: The environment.
        arguments: The command line, which may name a variable of the user's own that holds a keyset.
    """
    keysets = {
        name
        for text in (*arguments, *(environment[name] for name in VARIABLES & environment.keys()))
        for name in _KEYSET_IN_VARIABLE.findall(text)
    }
    for name in sorted(environment.keys() - VARIABLES - keysets):
        if not name.startswith(VARIABLE_PREFIX) or name.startswith(OF_TESTS) or _OF_KUBERNETES.fullmatch(name):
            continue
        yield f"{name}: no option has this variable, so it does nothing{suggestion(name, VARIABLES, VARIABLE_PREFIX)}"
