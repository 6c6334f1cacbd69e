"""What botocore would sign a request with."""

from __future__ import annotations

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.maskline.sqs.recording_server import RecordedRequest
from tests.maskline.sqs.transports import REGION

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEA//+=="


def signature_of(request: RecordedRequest) -> str:
    """Return the signature that a request came with."""
    return request.headers["authorization"].partition("Signature=")[2]


def signature_by_botocore(request: RecordedRequest, url: str, credentials: Credentials) -> str:
    """Return the signature that botocore makes over the headers and the body of a request, as if at the same time."""
    names = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signed = AWSRequest("POST", url, headers={name: request.headers[name] for name in names}, data=request.body)
    signed.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(credentials, "sqs", REGION)
    return str(signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed))
