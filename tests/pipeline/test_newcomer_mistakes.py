"""The mistakes that a newcomer makes most likely: each is one line that says what, where and what to do next.

None shows a traceback, a password, a key or a value of a message, and each ends with the exit code that tells a
supervisor whether to try again.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import shlex
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

import msgspec
import pytest

from maskline.keys import StoredKeyset
from maskline.keys.files import FileKeyset
from maskline.pipeline.cli import main
from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.postgres.connection import Connection
from maskline.sqs import connections
from maskline.sqs.curl_transport import CurlTransport
from tests.aws_emulation import EmulatedAws
from tests.conftest import MIGRATED, UNMIGRATED, copy_of, run_sql
from tests.documents import run_commands
from tests.e2e.job_process import PROJECT
from tests.faults.postgres_wire import postgres_connect
from tests.faults.tcp_proxy import TcpProxy
from tests.maskline.keysets import aes_siv_key, hash_key, stored
from tests.maskline.postgres.records import connected, run, value_of
from tests.maskline.sqs.recording_server import Answer, RecordingServer

PASSWORD = "hunter2"
EMAIL = "ann@example.com"
"""What stands in a message."""

SOUND = 'name = "orders"\ntable = "orders"\n[columns.masked_email]\nfield = "email"\ntype = "text"\n'
DEFINITIONS = {
    "orders": f'{SOUND}mask = "deterministic"\n',
    "syntax": 'name = "orders"\ntable = orders\n',
    "unknown_key": f'{SOUND}mask = "deterministic"\nnulable = true\n',
    "unknown_mask": f'{SOUND}mask = "determinstic"\n',
    "unknown_type": f'{SOUND}mask = "deterministic"\n'.replace('"text"', '"string"'),
    "nothing_said": SOUND,
    "empty": "",
    "wrong_type": f'{SOUND}mask = "deterministic"\nmax_length = "254"\n',
    "twice": f'{SOUND}mask = "deterministic"\n[columns.masked_email]\ntype = "text"\n',
}


class Mistake(msgspec.Struct, frozen=True):
    """What somebody types, and what comes of it.

    Attributes:
        typed: The command line, with the names of `parts` for what is there; ``$job`` is all of a sound job.
        told: The one line that says what is wrong; ``…`` stands for any text.
        exit_code: How the program ends.
        environment: Variables of the environment, None for one that is not set.
    """

    typed: str
    told: str
    exit_code: int = 2
    environment: Mapping[str, str | None] = {}


MISTAKES = {
    # The command line
    "a typo in the command": Mistake(
        "chekc $job", "maskline: command 'chekc' is not known; did you mean check? see: maskline --help"
    ),
    "a typo in an action": Mistake(
        "keys lsit --keyset $keyset",
        "maskline: action 'lsit' is not known; did you mean list? see: maskline keys --help",
    ),
    "an option before the action": Mistake(
        "retain --postgres $dsn rows --older_than 90d",
        "maskline: action: goes first; it is one of rows, rejections, log; see: maskline retain --help",
    ),
    "no action": Mistake("keys", "maskline: action: missing; it is one of create, wrap, …; see: maskline keys --help"),
    "a typo in an option": Mistake(
        "run $job --until_emtpy",
        "maskline: unknown option --until_emtpy; did you mean --until_empty? see: maskline run --help",
    ),
    "an abbreviated option": Mistake(
        "check $job --key $keyset", "maskline: unknown option --key; did you mean --keyset? see: maskline check --help"
    ),
    "an option without its value": Mistake(
        "check --queue", "maskline: argument --queue: expected one argument; see: maskline check --help"
    ),
    "a value without its option": Mistake(
        "check $job logins", "maskline: there is an argument too many; see: maskline check --help"
    ),
    "text for a number": Mistake(
        "run $job --micro_batch_size many",
        "maskline: argument --micro_batch_size: invalid int value: 'many'; see: maskline run --help",
    ),
    "a number out of range": Mistake(
        "run $job --micro_batch_size 0", "maskline: micro_batch_size is 0; it must be 1 or more"
    ),
    "a choice that is none": Mistake(
        "check $job --unmatched skip",
        "maskline: unmatched 'skip' is not known; known: reject, leave; see: maskline check --help",
    ),
    "a level of logs that is none": Mistake(
        "check $job --log_level loud",
        "maskline: log_level 'loud' is not known; known: debug, info, warning, error; see: maskline check --help",
    ),
    "a reason that is none": Mistake(
        "rejects list --postgres $dsn --rejection_reason not_jsn",
        "maskline: rejection_reason 'not_jsn' is not known; did you mean not_json? see: maskline rejects list --help",
    ),
    "a flag with a value": Mistake(
        "run $job --until_empty true", "maskline: there is an argument too many; see: maskline run --help"
    ),
    "text for a number in a variable": Mistake(
        "run $job",
        "maskline: argument --pollers: MASKLINE_POLLERS is 'many'; it must be a whole number; see: maskline run --help",
        environment={"MASKLINE_POLLERS": "many"},
    ),
    "nothing said of the parts": Mistake(
        "run",
        "maskline: queue, postgres, keyset: missing; give --queue (or MASKLINE_QUEUE) and --postgres "
        "(or MASKLINE_POSTGRES) and --keyset (or MASKLINE_KEYSET)",
    ),
    "one part forgotten": Mistake(
        "check --queue $queue --postgres $dsn", "maskline: keyset: missing; give --keyset or set MASKLINE_KEYSET"
    ),
    "a runner that is none": Mistake(
        "run $job --runner FlinkRuner", "maskline: runner 'FlinkRuner' is not known; did you mean FlinkRunner?"
    ),
    "no Prism where it should be": Mistake(
        "run $job --prism_location $folder/prism",
        "maskline: prism_location $folder/prism: there is no program that can be run",
    ),
    "pollers that FnApiRunner has not": Mistake(
        "run $job --pollers 4",
        "maskline: pollers is 4: FnApiRunner lets them poll one after another, and each waits for "
        "the others' long polls; use 1 and --processes 4, or run on Prism (--prism_location)",
    ),
    "processes that are none": Mistake("run $job --processes 0", "maskline: processes is 0; it must be 1 or more"),
    "an age without a unit": Mistake(
        "retain rows --postgres $dsn --older_than 90",
        "maskline: older_than is '90'; give a number with its unit: 90d, 36h or 4w",
    ),
    "a message id that is none": Mistake(
        "rejects show 4711 --postgres $dsn --keyset $keyset --reason trying",
        "maskline: argument MESSAGE_ID: invalid UUID value: '4711'; see: maskline rejects show --help",
    ),
    "no reason given": Mistake(
        "unmask --column masked_ip --postgres $dsn --keyset $keyset",
        "maskline: reason: missing; give --reason; see: maskline unmask --help",
    ),
    "a typo in a column": Mistake(
        "unmask --column maskedip --postgres $dsn --keyset $keyset --reason trying",
        "maskline: column 'maskedip': is not a masked column of user_logins; those are: masked_ip, masked_device_id",
    ),
    "a condition that is no SQL": Mistake(
        "unmask --column masked_ip --where 'locale == DE' --postgres $dsn --keyset $keyset --reason trying",
        "maskline: where: 'DE' is not a column of user_logins; those are: …; a text stands in single quotes",
    ),
    "half of a condition": Mistake(
        "unmask --column masked_ip --where 'locale = ' --postgres $dsn --keyset $keyset --reason trying",
        'maskline: where: is not a condition in SQL: syntax error at or near ")"',
    ),
    "the field for the column": Mistake(
        "unmask --column ip --postgres $dsn --keyset $keyset --reason trying",
        "maskline: column 'ip': is not a masked column of user_logins; those are: masked_ip, masked_device_id",
    ),
    "a column beside that is none": Mistake(
        "leakage --column masked_ip --beside locals --postgres $dsn",
        "maskline: beside: 'locals' is not a column of user_logins; those are: user_id, device_type, …",
    ),
    "a file for a copy in the lake": Mistake(
        "lake status --lake_opaque $folder/words.json",
        "maskline: lake '$folder/words.json': is a file; give the directory of a copy",
    ),
    "one slash too few": Mistake(
        "lake status --lake_opaque s3:/lake/opaque",
        "maskline: lake 's3:/lake/opaque': give s3://BUCKET/PREFIX, with two slashes, or ./s3:/lake/opaque for a "
        "directory",
    ),
    "both copies in one place": Mistake(
        "lake publish --postgres $dsn --keyset $keyset --lake_opaque $folder/lake --lake_clear $folder/lake",
        "maskline: lake file://$folder/lake: the two copies need places of their own, neither in the other",
    ),
    "a revision that is none": Mistake(
        "migrate --postgres $dsn --revision latest",
        "maskline: revision 'latest' is not known; known: base, 0001, …, head",
    ),
    "no lake named": Mistake(
        "lake publish --postgres $dsn --keyset $keyset",
        "maskline: lake: missing; give --lake_opaque or --lake_clear, or both (or MASKLINE_LAKE_OPAQUE, …)",
    ),
    # The stream
    "a typo in a stream": Mistake(
        "check $job --stream user_login",
        "maskline: stream 'user_login' is not known; known: user_logins, user_logins_masked_id. For "
        "a stream of your own give the path of its .toml file",
    ),
    "a definition that is not there": Mistake(
        "check $job --stream $folder/none.toml",
        "maskline: stream $folder/none.toml: cannot be read: No such file or directory",
    ),
    "a folder without a definition": Mistake(
        "check $job --stream $folder/empty", "maskline: stream $folder/empty: the folder holds no .toml file"
    ),
    "a definition that is no TOML": Mistake(
        "check $job --stream $folder/syntax.toml",
        "maskline: stream $folder/syntax.toml: Invalid value (at line 2, column 9)",
    ),
    "a definition that is no text": Mistake(
        "check $job --stream $folder/binary.toml",
        "maskline: stream $folder/binary.toml: cannot be read: it is not text in UTF-8",
    ),
    "an empty definition": Mistake(
        "check $job --stream $folder/empty.toml",
        "maskline: stream $folder/empty.toml: Object missing required field `name`",
    ),
    "a text for a number in a definition": Mistake(
        "check $job --stream $folder/wrong_type.toml",
        "maskline: stream $folder/wrong_type.toml: column 'masked_email': max_length is a text in quotes; "
        "write a whole number",
    ),
    "two columns of one name": Mistake(
        "check $job --stream $folder/twice.toml",
        "maskline: stream $folder/twice.toml: Cannot declare ('columns', 'masked_email') twice (at line 7, column 22)",
    ),
    "an unknown key": Mistake(
        "check $job --stream $folder/unknown_key.toml",
        "maskline: stream $folder/unknown_key.toml: column 'masked_email': has no key 'nulable'; "
        "those are: type, field, mask, …, pattern",
    ),
    "an unknown mask": Mistake(
        "check $job --stream $folder/unknown_mask.toml",
        "maskline: stream $folder/unknown_mask.toml: column 'masked_email': mask 'determinstic' is "
        "not known; write one of deterministic, random, …",
    ),
    "an unknown type": Mistake(
        "check $job --stream $folder/unknown_type.toml",
        "maskline: stream $folder/unknown_type.toml: column 'masked_email': type 'string' is not one "
        "of varchar(n), text, …",
    ),
    "a column neither masked nor clear": Mistake(
        "check $job --stream $folder/nothing_said.toml",
        "maskline: stream $folder/nothing_said.toml: column 'masked_email': a column whose name "
        'begins with masked_ holds tokens; write mask = "deterministic", or give it another name',
    ),
    "messages that are not there": Mistake(
        "streams draft --messages $folder/none.jsonl",
        "maskline: messages $folder/none.jsonl: cannot be read: No such file or directory",
    ),
    "a folder for a file of messages": Mistake(
        "streams draft --messages $folder/empty", "maskline: messages $folder/empty: cannot be read: Is a directory"
    ),
    "a file without a message": Mistake(
        "streams draft --messages $folder/empty.jsonl",
        "maskline: messages $folder/empty.jsonl: holds none; write one body a line, or what ReceiveMessage answers",
    ),
    "CSV for messages": Mistake(
        "streams draft --messages $folder/orders.csv",
        "maskline: messages: none of 2 has a JSON object in it (not_json 2); write one a line",
    ),
    "messages over several lines each": Mistake(
        "streams draft --messages $folder/pretty.json",
        "maskline: messages: none of 6 has a JSON object in it (not_json 6); write one a line",
    ),
    "messages that are no text": Mistake(
        "streams draft --messages $folder/binary.toml",
        "maskline: messages $folder/binary.toml: cannot be read: it is not text in UTF-8",
    ),
    "a project of no messages": Mistake(
        "init $folder/orders", "maskline: messages: missing; give --messages FILE, or --queue, the queue to look into"
    ),
    "a project where nobody may write": Mistake(
        "init /sys/orders --messages $folder/one.jsonl",
        "maskline: directory /sys/orders: cannot be written (…); name another one",
    ),
    "messages that are no objects": Mistake(
        "streams draft --messages $folder/words.jsonl",
        "maskline: messages: none of 1 has a JSON object in it (not_json 1); write one a line",
    ),
    "no table for the stream": Mistake(
        "check $job --stream $folder/orders.toml",
        "PROBLEM  postgres: table orders does not exist, or this role has no USAGE on its schema; "
        "run: maskline streams apply FILE --postgres DSN",
    ),
    # The queue
    "no such queue": Mistake(
        "check $job --queue nowhere",
        "PROBLEM  queue: nowhere at $endpoint: does not exist; check its name, region and account "
        "(AWS.SimpleQueueService.NonExistentQueue)",
    ),
    "a queue by no name": Mistake(
        "check $job --queue 'the logins'", "maskline: queue 'the logins': give a queue's URL or its name"
    ),
    "a queue by its ARN": Mistake(
        "check $job --queue arn:aws:sqs:eu-central-1:123456789012:logins",
        "maskline: queue 'arn:aws:sqs:eu-central-1:123456789012:logins': is an ARN; give the queue's name or its URL, "
        "https://sqs.eu-central-1.amazonaws.com/123456789012/logins",
    ),
    "a queue's URL without its scheme": Mistake(
        "check $job --queue sqs.eu-central-1.amazonaws.com/123456789012/logins",
        "maskline: queue 'sqs.eu-central-1.amazonaws.com/123456789012/logins': give a queue's URL or its name",
    ),
    "a queue of another region": Mistake(
        "check $job --queue $aws_queue --queue_endpoint $aws_endpoint",
        "PROBLEM  queue: $aws_queue at $aws_endpoint: does not exist; check its name, region and "
        "account (AWS.SimpleQueueService.NonExistentQueue)",
        environment={"AWS_DEFAULT_REGION": "eu-central-1"},
    ),
    "no region": Mistake(
        "check $job --queue logins --queue_endpoint ''",
        "PROBLEM  queue: logins: no AWS region; give the queue's URL or set AWS_REGION",
        environment={"AWS_DEFAULT_REGION": None, "AWS_REGION": None},
    ),
    "a region that is none": Mistake(
        "check $job --queue logins --queue_endpoint ''",
        "PROBLEM  queue: logins: the AWS region is not the name of one; see AWS_REGION and AWS_DEFAULT_REGION",
        environment={"AWS_DEFAULT_REGION": "Frankfurt am Main"},
    ),
    "no credentials": Mistake(
        "check $job --queue_endpoint $endpoint",
        "PROBLEM  queue: $queue: no AWS credentials (Unable to locate credentials); set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them",
        environment={"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
    ),
    "half of the credentials": Mistake(
        "check $job",
        "PROBLEM  queue: $queue: no AWS credentials (Partial credentials found in env, missing: "
        "AWS_SECRET_ACCESS_KEY); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or "
        "run where a role gives them",
        environment={"AWS_SECRET_ACCESS_KEY": None},
    ),
    "expired credentials": Mistake(
        "check $job --queue http://127.0.0.1:$expired/1/logins --queue_endpoint ''",
        "PROBLEM  queue: http://127.0.0.1:$expired/1/logins: SQS refuses these credentials "
        "(ExpiredTokenException); the job needs sqs:ReceiveMessage, …",
    ),
    "credentials that may not": Mistake(
        "check $job --queue $aws_queue --queue_endpoint $aws_endpoint",
        "PROBLEM  queue: $aws_queue at $aws_endpoint: SQS refuses these credentials (403); the job "
        "needs sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, "
        "sqs:GetQueueAttributes and sqs:GetQueueUrl, and on an encrypted queue the use of its key",
        environment={"AWS_ACCESS_KEY_ID": "$powerless_id", "AWS_SECRET_ACCESS_KEY": "$powerless_key"},
    ),
    "a profile that is not there": Mistake(
        "check $job",
        "PROBLEM  queue: $queue: no AWS credentials (The config profile (prdo) could not be found); "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them",
        environment={"AWS_PROFILE": "prdo"},
    ),
    "nobody at the endpoint": Mistake(
        "check $job --queue_endpoint http://127.0.0.1:$nobody",
        "PROBLEM  queue: $queue at http://127.0.0.1:$nobody: SQS did not answer "
        "(EndpointConnectionError); see whether this machine reaches it, and whether "
        "--queue_endpoint, or the region of --queue, is the right one",
        exit_code=75,
    ),
    "https where there is none": Mistake(
        "check $job --queue_endpoint $https_endpoint",
        "PROBLEM  queue: $queue at $https_endpoint: SQS did not answer (SSLError); see whether it "
        "speaks TLS at all, and name the authority of its certificate by AWS_CA_BUNDLE where that is "
        "one of your own",
        exit_code=75,
    ),
    "http over the network": Mistake(
        "check $job --queue_endpoint http://sqs.example.com",
        "maskline: queue_endpoint http://sqs.example.com: http:// would carry messages in clear over "
        "the network; give https://, or allow it by name: allow_plaintext_endpoint",
    ),
    "an endpoint without its scheme": Mistake(
        "check $job --queue_endpoint 127.0.0.1:9324",
        "maskline: queue_endpoint '127.0.0.1:9324': give a URL like http://127.0.0.1:9324",
    ),
    # The database
    "a DSN that is none": Mistake(
        "check $job --postgres db.example.com",
        "maskline: postgres: not a data source name; give one like postgresql://user@host/database",
    ),
    "a DSN of JDBC": Mistake(
        "check $job --postgres jdbc:postgresql://db.example.com/logins",
        "maskline: postgres: not a data source name; give one like postgresql://user@host/database",
    ),
    "a percent sign in a DSN": Mistake(
        "check $job --postgres postgresql://me%you@db.example.com/logins",
        "maskline: postgres: not a data source name; give one like postgresql://user@host/database; a % in it is "
        "written %25",
    ),
    "a port in words": Mistake(
        "check $job --postgres postgresql://postgres@127.0.0.1:default/logins",
        "maskline: postgres: its port is not a number; an IPv6 address stands in brackets: [::1]:5432",
    ),
    "an IPv6 address without brackets": Mistake(
        "check $job --postgres postgresql://postgres@::1/logins",
        "maskline: postgres: its port is not a number; an IPv6 address stands in brackets: [::1]:5432",
    ),
    "nobody at an IPv6 address": Mistake(
        "check $job --postgres postgresql://postgres@[::1]:$nobody/logins",
        'PROBLEM  postgres: connection to server at "::1", port $nobody failed: …',
        exit_code=75,
    ),
    "a DSN without a database": Mistake(
        "check $job --postgres postgresql://postgres@127.0.0.1:$nobody",
        'PROBLEM  postgres: connection to server at "127.0.0.1", port $nobody failed: Connection refused; …',
        exit_code=75,
    ),
    "a password in the DSN": Mistake(
        f"check $job --postgres postgresql://postgres:{PASSWORD}@127.0.0.1/logins",
        "maskline: postgres: holds a password, which the job graph would show; leave it out and give "
        "it by PGPASSWORD, PGPASSFILE or a service file",
    ),
    "a wrong port": Mistake(
        "check $job --postgres postgresql://postgres@127.0.0.1:$nobody/logins",
        'PROBLEM  postgres: connection to server at "127.0.0.1", port $nobody failed: Connection '
        "refused; Is the server running on that host and accepting TCP/IP connections?",
        exit_code=75,
    ),
    "a wrong host": Mistake(
        "check $job --postgres postgresql://postgres@db.invalid/logins",
        "PROBLEM  postgres: database logins, user postgres, host db.invalid: failed to resolve host 'db.invalid': …",
        exit_code=75,
    ),
    "a wrong user": Mistake(
        "check $job --postgres '$nobody_dsn'",
        'PROBLEM  postgres: connection to server on socket "…" failed: FATAL: role "nobody_knows" does '
        "not exist; see what --postgres says, and PGHOST, PGUSER and the like",
    ),
    "a wrong password": Mistake(
        "check $job --postgres '$locked_dsn'",
        'PROBLEM  postgres: connection to server on socket "…" failed: FATAL: password authentication failed for '
        'user "…"; the password comes from PGPASSWORD, PGPASSFILE or a service file',
        environment={"PGPASSWORD": PASSWORD},
    ),
    "no password": Mistake(
        "check $job --postgres '$locked_dsn'",
        'PROBLEM  postgres: connection to server on socket "…" failed: fe_sendauth: no password supplied; the '
        "password comes from PGPASSWORD, PGPASSFILE or a service file",
    ),
    "a user who may not come from here": Mistake(
        "check $job --postgres '$shut_out_dsn'",
        'PROBLEM  postgres: connection to server on socket "…" failed: FATAL: pg_hba.conf rejects connection for '
        'host "[local]", user …; see what --postgres says, and PGHOST, PGUSER and the like',
    ),
    "a wrong database": Mistake(
        "check $job --postgres '$other_database'",
        'PROBLEM  postgres: connection to server on socket "…" failed: FATAL: database "lgoins" does '
        "not exist; see what --postgres says, and PGHOST, PGUSER and the like",
    ),
    "a server without TLS": Mistake(
        "check $job --postgres '$tcp_dsn?sslmode=require'",
        'PROBLEM  postgres: connection to server at "127.0.0.1", port … failed: server does not '
        "support SSL, but SSL was required; see what --postgres says, and PGHOST, PGUSER and the like",
    ),
    "a mode of TLS that is none": Mistake(
        "check $job --postgres '$tcp_dsn?sslmode=on'",
        "PROBLEM  postgres: database logins, user postgres, host 127.0.0.1, port …: invalid sslmode "
        'value: "on"; see what --postgres says, and PGHOST, PGUSER and the like',
    ),
    "a database that is not migrated": Mistake(
        "check $job --postgres '$unmigrated_dsn'",
        "PROBLEM  postgres: the schema is at revision none, the job needs 0010 or a later one; run: "
        "maskline migrate --postgres '$unmigrated_dsn'",
    ),
    "an older schema": Mistake(
        "check $job --postgres '$older_dsn'",
        "PROBLEM  postgres: the schema is at revision 0008, the job needs 0010 or a later one; run: "
        "maskline migrate --postgres '$older_dsn'",
    ),
    "a newer schema": Mistake(
        "migrate --postgres '$newer_dsn'",
        "maskline: postgres: the schema is at revision 9999, which only a newer maskline knows; use that one",
    ),
    "a role without permissions": Mistake(
        "check $job --postgres '$powerless_dsn'",
        "PROBLEM  postgres: permission denied for table maskline_schema_version (42501 "
        "insufficient_privilege); run and check take the role maskline_writer, …",
    ),
    "a listing before migrate": Mistake(
        "rejects list --postgres '$unmigrated_dsn'",
        'maskline: postgres: relation "rejected_messages" does not exist (42P01 undefined_table); '
        "run: maskline migrate --postgres DSN",
    ),
    # The keyset
    "no keyset": Mistake(
        "check $job --keyset file:$folder/none.json",
        "PROBLEM  keyset: file:$folder/none.json: No such file or directory; run: maskline keys create --keyset URI",
    ),
    "a path for a keyset's URI": Mistake(
        "check $job --keyset keyset.json",
        "maskline: keyset: give a URI that begins with one of file:, env:, …; for example file:keyset.json",
    ),
    "a scheme that is none": Mistake(
        "check $job --keyset s4://keys/logins.json",
        "maskline: keyset s4: give a URI that begins with one of file:, env:, …; for example file:keyset.json",
    ),
    "a keyset that others can read": Mistake(
        "check $job --keyset file:$folder/readable.json",
        "PROBLEM  keyset: file:$folder/readable.json: others can read it (mode 0644); run: chmod 600 "
        "$folder/readable.json",
    ),
    "a keyset that is no JSON": Mistake(
        "check $job --keyset file:$folder/words.json",
        "PROBLEM  keyset: file:$folder/words.json: is not a Tink keyset in JSON; is it the right file?",
    ),
    "a folder for a keyset": Mistake(
        "check $job --keyset file:$folder/empty",
        "PROBLEM  keyset: file:$folder/empty: Is a directory; give the path of a file that this user may read",
    ),
    "the keyset of hashes": Mistake(
        "check $job --keyset file:$folder/hashes.json",
        "PROBLEM  keyset: file:$folder/hashes.json: is one of hashes (key 9 is an HmacPrfKey), which "
        "neither masks nor rotates; masking takes a keyset with AES256_SIV keys",
    ),
    "a keyset of another cipher": Mistake(
        "check $job --keyset file:$folder/gcm.json",
        "PROBLEM  keyset: file:$folder/gcm.json: key 3 is a AesGcmKey; masking needs AES256_SIV keys; run: "
        "maskline keys create --keyset URI",
    ),
    "a keyset without a byte": Mistake(
        "check $job --keyset file:$folder/nothing.json",
        "PROBLEM  keyset: file:$folder/nothing.json: is not a Tink keyset in JSON; is it the right file?",
    ),
    "a keyset in S3 without a KMS key": Mistake(
        "check $job --keyset s3://keys/logins.json",
        "maskline: keyset s3: what is kept in S3 is encrypted by a KMS key; give "
        "aws-kms://KEY_ARN?keyset=s3://BUCKET/KEY",
    ),
    "a KMS key without a keyset": Mistake(
        "check $job --keyset aws-kms://arn:aws:kms:eu-central-1:123456789012:key/ID",
        "maskline: keyset aws-kms: give aws-kms://KEY_ARN?keyset=URI, where URI says where the keyset is kept",
    ),
    "a keyset where nobody may write": Mistake(
        "keys create --keyset file:/sys/keyset.json", "maskline: keyset file:/sys/keyset.json: …"
    ),
    "a key that the keyset has not": Mistake(
        "keys promote 5 --keyset $keyset", "maskline: key 5: is not in the keyset; it has: …"
    ),
    "more holders than shares": Mistake(
        "keys split --keyset $keyset --shares 5 --threshold 6 --directory $folder/shares",
        "maskline: shares is 5 and threshold 6; it takes 2 <= threshold <= shares <= 255",
    ),
    "a keyset that is cut off": Mistake(
        "check $job --keyset file:$folder/cut.json",
        "PROBLEM  keyset: file:$folder/cut.json: is not a Tink keyset in JSON; is it the right file?",
    ),
    "a variable that is not set": Mistake(
        "check $job --keyset env:LOGINS_KEYSET",
        "PROBLEM  keyset: env:LOGINS_KEYSET: the environment variable LOGINS_KEYSET is not set",
    ),
    "another keyset than the rows'": Mistake(
        "check $job --keyset file:$folder/other.json --postgres '$used_dsn'",
        "PROBLEM  keyset: it has none of the keys that this database's rows were masked under (key "
        "77), so they neither join with new rows nor can be unmasked; give the keyset that has them, "
        "or another database",
    ),
    "a keyset made twice": Mistake(
        "keys create --keyset $keyset",
        "maskline: keyset $keyset: exists already and is not overwritten; without it nothing it "
        "masked could be recovered",
    ),
    "a keyset in a folder that is not there": Mistake(
        "keys create --keyset file:$folder/none/keyset.json",
        "maskline: keyset file:$folder/none/keyset.json: the directory $folder/none is not there; make it first",
    ),
    "a keyset in clear for a cluster": Mistake(
        "run $job --runner FlinkRunner --flink_master 127.0.0.1:1",
        "maskline: keyset $keyset: is in cleartext, and every worker of FlinkRunner would have to be "
        "given it so; use one that a KMS key encrypts (aws-kms://KEY_ARN?keyset=URI), or say "
        "--allow_cleartext_keyset",
    ),
    "no such Vault": Mistake(
        "check $job --keyset vault-kv://secret/logins",
        "PROBLEM  keyset: vault-kv://secret/logins: Vault did not answer as it should "
        "(ConnectionError); see VAULT_ADDR, and try again",
        75,
        environment={"VAULT_ADDR": None, "VAULT_TOKEN": None},
    ),
    # This machine
    "a busy port": Mistake(
        "run $job --http_port $busy",
        "maskline: http_port: cannot listen at 127.0.0.1, port $busy (Address already in use); give another one",
    ),
    "a port that is none": Mistake(
        "run $job --http_port 80800",
        "maskline: http_port: cannot listen at 127.0.0.1, port 80800 (bind(): port must be 0-65535.); give another one",
    ),
    "a port in words, of this machine": Mistake(
        "run $job --http_port http",
        "maskline: argument --http_port: invalid int value: 'http'; see: maskline run --help",
    ),
    "a host that is none": Mistake(
        "run $job --http_port 0 --http_host nowhere.invalid",
        "maskline: http_port: cannot listen at nowhere.invalid, port 0 (Name or service not known); give another one",
    ),
    "a collector without its scheme": Mistake(
        "run $job --otlp_endpoint collector:4318",
        "maskline: otlp_endpoint 'collector:4318': give a URL like http://collector:4318/v1/metrics",
    ),
    "a file for a folder": Mistake(
        "local --data_directory $folder/words.json",
        "maskline: data_directory: $folder/words.json cannot be used (File exists); name another directory",
    ),
}


@pytest.fixture(scope="module")
def parts(
    postgres: EmbeddedPostgres,
    administrator: Connection,
    sqs: EmbeddedSqs,
    aws_server: EmulatedAws,
    stored_keyset: StoredKeyset,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """A sound queue, database and keyset, and those that a newcomer takes for them, by their names in the mistakes."""
    with contextlib.ExitStack() as stack:
        folder = _folder(tmp_path_factory.mktemp("newcomer"))
        databases = stack.enter_context(_databases(postgres, administrator))
        keyset = FileKeyset(folder / "keyset.json")
        keyset.create(stored_keyset.content)
        busy = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        nobody = stack.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))
        expired = stack.enter_context(RecordingServer(lambda _: _expired()))
        proxy = stack.enter_context(TcpProxy(postgres_connect(databases["dsn"])))
        powerless = aws_server.credentials_for("s3:GetObject")
        queue = sqs.create_queue(f"newcomer-{uuid.uuid4().hex}")
        yield {
            **databases,
            "folder": str(folder),
            "queue": queue,
            "endpoint": sqs.endpoint,
            "keyset": keyset.uri,
            "job": f"--queue {queue} --queue_endpoint {sqs.endpoint} --postgres '{databases['dsn']}' "
            f"--keyset {keyset.uri}",
            "https_endpoint": sqs.endpoint.replace("http", "https"),
            "aws_endpoint": aws_server.endpoint,
            "aws_queue": aws_server.create_queue("newcomer").rpartition("/")[2],
            "powerless_id": powerless["AWS_ACCESS_KEY_ID"],
            "powerless_key": powerless["AWS_SECRET_ACCESS_KEY"],
            "busy": str(busy.getsockname()[1]),
            "expired": str(expired.port),
            "nobody": str(nobody.getsockname()[1]),
            "tcp_dsn": f"postgresql://postgres@127.0.0.1:{proxy.port}/logins",
        }


def _folder(folder: Path) -> Path:
    """Fill a folder with definitions, messages and keysets, none of them as it should be."""
    (folder / "empty").mkdir()
    (folder / "empty.jsonl").touch()
    (folder / "words.jsonl").write_text(f"mail {EMAIL} please\n")
    (folder / "orders.csv").write_text(f"id,email\n1,{EMAIL}\n")
    (folder / "pretty.json").write_text(f'{{\n  "email": "{EMAIL}"\n}}\n' * 2)
    (folder / "one.jsonl").write_text(f'{{"email": "{EMAIL}"}}')
    for name, text in DEFINITIONS.items():
        (folder / f"{name}.toml").write_text(text)
    (folder / "binary.toml").write_bytes(bytes(range(256)))
    keysets = {
        "readable": stored(aes_siv_key(7), primary=7).content,
        "other": stored(aes_siv_key(8), primary=8).content,
        "hashes": stored(hash_key(9), primary=9).content,
        "cut": stored(aes_siv_key(7), primary=7).content[:-40],
        "gcm": stored(aes_siv_key(3), primary=3).content.replace(b"AesSivKey", b"AesGcmKey"),
        "nothing": b"",
        "words": f"mail {EMAIL} please".encode(),
    }
    for name, content in keysets.items():
        FileKeyset(folder / f"{name}.json").create(content)
    (folder / "readable.json").chmod(0o644)
    return folder


def _expired() -> Answer:
    body = b'{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token is expired"}'
    return Answer(body, "403 Forbidden", {"Content-Type": "application/x-amz-json-1.0"})


@contextlib.contextmanager
def _databases(postgres: EmbeddedPostgres, administrator: Connection) -> Iterator[dict[str, str]]:
    """Make databases and roles, and yield their data source names."""
    suffix = uuid.uuid4().hex
    server = postgres.dsn("postgres")
    templates = dict.fromkeys(("dsn", "older_dsn", "newer_dsn", "used_dsn"), MIGRATED)
    roles = {name: f"{name}_{suffix}" for name in ("locked", "shut_out", "powerless")}
    rules = [f"local all {roles['locked']} scram-sha-256", f"local all {roles['shut_out']} reject"]
    with contextlib.ExitStack() as stack:
        dsns = {
            name: postgres.dsn(stack.enter_context(copy_of(template, administrator)))
            for name, template in {**templates, "unmigrated_dsn": UNMIGRATED}.items()
        }
        run_sql(dsns["older_dsn"], "UPDATE maskline_schema_version SET version_num = '0008'")
        run_sql(dsns["newer_dsn"], "UPDATE maskline_schema_version SET version_num = '9999'")
        run_sql(dsns["used_dsn"], "SELECT maskline_use_keys('{77}', 'user_logins')")
        for role in roles.values():
            run_sql(server, f"CREATE ROLE {role} LOGIN PASSWORD '{uuid.uuid4().hex}'")
            stack.callback(run_sql, server, f"DROP ROLE {role}")
        stack.enter_context(_host_rules(server, rules))
        yield {
            **dsns,
            **{f"{name}_dsn": dsns["dsn"].replace("postgres@", f"{role}@") for name, role in roles.items()},
            "nobody_dsn": dsns["dsn"].replace("postgres@", "nobody_knows@"),
            "other_database": postgres.dsn("lgoins"),
        }


@contextlib.contextmanager
def _host_rules(server: str, rules: list[str]) -> Iterator[None]:
    """Have the server go by rules of ``pg_hba.conf`` before its own while the block runs."""
    with connected(server) as connection:
        file = Path(value_of(connection, "SHOW hba_file"))
        before = file.read_text()
        file.write_text("\n".join([*rules, before]))
        # Dropping a database waits for whoever was asked for a password and has not answered.
        run(connection, "ALTER SYSTEM SET authentication_timeout = '3s'")
        value_of(connection, "SELECT pg_reload_conf()")
        try:
            yield
        finally:
            file.write_text(before)
            run(connection, "ALTER SYSTEM RESET authentication_timeout")
            value_of(connection, "SELECT pg_reload_conf()")


@pytest.fixture
def _own_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have each test make its own connections to SQS, with its own credentials."""
    shared: dict[object, tuple[object, CurlTransport]] = {}
    monkeypatch.setattr(connections, "_shared", shared)
    yield
    for _, transport in shared.values():
        transport.close()


@pytest.mark.usefixtures("_own_connections")
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_that_says_what_to_do(
    mistake: Mistake,
    parts: Mapping[str, str],
    aws_server: EmulatedAws,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**aws_server.environment, **mistake.environment}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, Template(value).substitute(parts))
    may_not = "powerless" in str(mistake.environment)

    with aws_server.enforcing_permissions() if may_not else contextlib.nullcontext():
        exit_code = main(shlex.split(Template(mistake.typed).substitute(parts)))

    printed = capsys.readouterr()
    lines = [line for line in (printed.out + printed.err).splitlines() if not line.startswith(("ok  ", "warning "))]
    assert exit_code == mistake.exit_code
    assert len(lines) == 1
    assert _matches(mistake.told, lines[0], parts)
    assert not any(secret in printed.out + printed.err for secret in (PASSWORD, EMAIL))


def _matches(told: str, line: str, parts: Mapping[str, str]) -> bool:
    """Say whether a line is what a mistake says, ``…`` for any text in it."""
    pattern = ".+".join(re.escape(part) for part in Template(told).substitute(parts).split("…"))
    return re.fullmatch(pattern, line) is not None


@pytest.mark.heavy
def test_a_full_disk_below_the_output_is_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        job = subprocess.run(
            [sys.executable, "-m", "pipeline", "ddl"], cwd=PROJECT, stdout=full, stderr=subprocess.PIPE, text=True
        )

    assert job.returncode == 1
    (record,) = map(json.loads, job.stderr.splitlines())
    assert record["event"] == (
        "standard output, or a temporary file, cannot be written (No space left on device); make room, and run it again"
    )


def test_a_full_disk_below_a_keyset_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        exit_code = main(["keys", "create", f"--keyset=file:{tmp_path}/keyset.json"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert exit_code == 2
    assert capsys.readouterr().err == f"maskline: keyset file:{tmp_path}/keyset.json: File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_an_extra_that_is_not_installed_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hvac", None)
    monkeypatch.delitem(sys.modules, "maskline.keys.vault", raising=False)

    exit_code = main(["keys", "list", "--keyset=vault-kv://secret/logins"])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: a keyset of vault-kv:// needs hvac, which is not installed: pip install 'maskline[vault]'\n"
    )


def test_a_local_run_that_has_ended_is_told_how_it_is_started_again(
    tmp_path: Path, parts: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lock").touch()
    dsn = f"postgresql://postgres@/maskline?host={tmp_path}/postgres"

    exit_code = main(["rejects", "list", f"--postgres={dsn}"])

    assert exit_code == 75
    told = capsys.readouterr().err
    assert told.endswith(
        "it is the database of a local run, which has ended; start it again, and leave it running: "
        f"maskline local --follow --data_directory {tmp_path}\n"
    )
    assert len(told.splitlines()) == 1


ODD_STARTS = {
    "its reader has gone": ("ddl | head -1 && exit ${PIPESTATUS[0]}", 0, r'CREATE TABLE "user_logins" \(\n', ""),
    "standard output is closed": ("ddl >&-", 0, "", ""),
    "standard input is closed": ("mask --column masked_ip --keyset file:keyset.json <&-", 0, "", ""),
    "standard error is closed": ("streams test none.toml 2>&-", 2, "", ""),
    "its folder was deleted": (
        "local --messages 1",
        2,
        "",
        r'.*"event": "data_directory: this directory was deleted; change to another one".*\n',
    ),
    "a locale without letters": ("LC_ALL=C streams test ünd.toml", 0, r"1 of 1 test hold\.\n", ""),
    "an output without letters": (
        "PYTHONIOENCODING=ascii streams draft --messages ünd.jsonl",
        2,
        r"[^{]*",
        r'(?s).*"event": "standard output: its encoding, ascii, lacks a character; set PYTHONUTF8=1".*\n',
    ),
}
"""How a program is started that a newcomer did not mean: what is typed, the exit code, and what is printed."""


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "exit_code", "printed", "told"), ODD_STARTS.values(), ids=ODD_STARTS)
def test_a_program_that_is_started_oddly_shows_no_traceback(
    typed: str, exit_code: int, printed: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "ünd.toml").write_text(
        f'{DEFINITIONS["orders"]}[[test]]\nbody = \'{{"email": "ä"}}\'\nrow = {{ masked_email = "ä" }}\n', "utf-8"
    )
    (tmp_path / "ünd.jsonl").write_text('{"größe": 1}', "utf-8")
    assert main(["keys", "create", f"--keyset=file:{tmp_path}/keyset.json"]) == 0
    command = re.sub(r"^((?:[A-Z_]+=\S+ )?)", r"\1maskline ", typed)
    where = "cd gone && rmdir ../gone && " if "deleted" in told else ""

    ran = run_commands(f"{where}{command}", tmp_path, {})

    assert ran.returncode == exit_code, ran.stderr
    assert re.fullmatch(printed, ran.stdout)
    assert re.fullmatch(told, ran.stderr)
