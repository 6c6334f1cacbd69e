"""Tokens of AWS that stand in the place of a password, for databases of RDS and Aurora.

A token is made anew for each connection: it is good for a login within 15 minutes, and a connection, once it is open,
lasts longer. It is signed in this process; nobody is called for it, unless the credentials themselves have expired.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maskline.aws import HOST_SUFFIXES, OpenClient, error_code, open_client, setup_problem
from maskline.errors import ArgumentError, DatabaseError, DatabaseUnavailableError

DEFAULT_PORT = 5432
_SUFFIX = "|".join(map(re.escape, HOST_SUFFIXES))
# The region stands before "rds", and in China behind it.
_HOST = re.compile(rf"[a-z0-9.-]+\.((?P<before>[a-z0-9-]+)\.rds|rds\.(?P<behind>[a-z0-9-]+))\.({_SUFFIX})")


class RdsEndpoint(msgspec.Struct, frozen=True):
    """Where a database of RDS is, and who logs in.

    Attributes:
        host: The host of the instance, the cluster or the proxy, as RDS names it.
        port: Its port.
        user: The role that logs in.
        region: The region, as the host has it.
    """

    host: str
    port: int
    user: str
    region: str


MakeToken = Callable[[RdsEndpoint], str]
"""Makes a token for one login."""


def rds_endpoint(parameters: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> RdsEndpoint:
    """Return the endpoint and user that a token is made for.

    Args:
        parameters: Those of a data source name. ``hostaddr`` may lead elsewhere, to a tunnel say; it is ``host`` that
            the token and the server's certificate are for.
        environment: Where the port comes from that the data source name does not say.

    Raises:
        ArgumentError: They name no user, or no single host of RDS.
    """
    host = parameters.get("host", "").lower()
    match = _HOST.fullmatch(host)
    if match is None:
        raise ArgumentError(
            "dsn: rds-iam takes the host of an RDS instance, cluster or proxy as RDS names it, "
            "NAME.ID.REGION.rds.amazonaws.com: a token is good for that name alone"
        )
    if not parameters.get("user"):
        raise ArgumentError("dsn: rds-iam takes the user in the data source name: a token is good for one user alone")
    port = parameters.get("port") or environment.get("PGPORT") or str(DEFAULT_PORT)
    if not port.isdecimal():
        raise ArgumentError("dsn: rds-iam takes one port, a number")
    return RdsEndpoint(host, int(port), parameters["user"], match["before"] or match["behind"])


def rds_token(endpoint: RdsEndpoint, open_client: OpenClient = open_client) -> str:
    """Make an authentication token for one login.

    Args:
        endpoint: What it is for.
        open_client: Makes the client, once a region: it renews credentials that expire.

    Raises:
        DatabaseError: There are no credentials, or AWS's configuration cannot be read.
        DatabaseUnavailableError: Whoever gives out the credentials does not answer.
    """
    try:
        token: str = _client(open_client, endpoint.region).generate_db_auth_token(
            DBHostname=endpoint.host, Port=endpoint.port, DBUsername=endpoint.user, Region=endpoint.region
        )
    except (BotoCoreError, ClientError) as error:
        problem = setup_problem(error)
        if problem:
            raise DatabaseError(f"postgres: rds-iam: {problem}") from None
        raise DatabaseUnavailableError(
            f"postgres: rds-iam: no credentials could be had for a token ({error_code(error)})"
        ) from None
    return token


@functools.lru_cache(maxsize=8)
def _client(open_client: OpenClient, region: str) -> Any:
    return open_client("rds", region)
