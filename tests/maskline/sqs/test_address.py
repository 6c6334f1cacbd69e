"""`QueueAddress`: a queue is found by URL or by name, and what is neither is refused at once."""

from __future__ import annotations

import pytest

from maskline.errors import UsageError
from maskline.sqs import QueueAddress

VPC_ENDPOINT = "https://vpce-0a1b2c3d-4e5f.sqs.eu-central-1.vpce.amazonaws.com"
AWS_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/logins"


@pytest.mark.parametrize(
    "queue",
    [
        "logins",
        AWS_URL,
        f"{AWS_URL}/",
        "http://127.0.0.1:9324/000000000000/logins",
        "http://localhost:9324/queue/logins",
        "http://localhost/logins",
        "http://[::1]:9324/000000000000/logins",
        "https://[2001:db8::1]/logins",
    ],
)
def test_the_name_is_the_last_part_of_a_url_or_what_was_given(queue: str) -> None:
    address = QueueAddress(queue)

    assert address.name == "logins"


@pytest.mark.parametrize(
    ("queue", "region"),
    [
        (AWS_URL, "eu-central-1"),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/logins", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/logins", "cn-north-1"),
        ("https://queue.amazonaws.com/123456789012/logins", "us-east-1"),
        ("https://SQS.EU-Central-1.AmazonAWS.com/123456789012/logins", "eu-central-1"),
        ("https://sqs-fips.us-east-1.amazonaws.com/123456789012/logins", "us-east-1"),
        ("https://sqs.us-gov-west-1.amazonaws.com/123456789012/logins", "us-gov-west-1"),
        ("https://sqs.eu-central-1.api.aws/123456789012/logins", "eu-central-1"),
        ("https://sqs-fips.us-west-2.api.aws/123456789012/logins", "us-west-2"),
        ("https://sqs.cn-northwest-1.api.amazonwebservices.com.cn/123456789012/logins", "cn-northwest-1"),
        ("https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/logins", "eusc-de-east-1"),
        ("https://vpce-0a1b2c3d-4e5f.sqs.eu-central-1.vpce.amazonaws.com/123456789012/logins", "eu-central-1"),
        ("https://vpce-0a1b-4e5f-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com/123456789012/logins", "eu-west-1"),
        ("https://vpce-0a1b-4e5f.sqs.cn-north-1.vpce.amazonaws.com.cn/123456789012/logins", "cn-north-1"),
        ("https://sqs.us-iso-east-1.c2s.ic.gov/123456789012/logins", "us-iso-east-1"),
        ("https://sqs.us-isob-east-1.sc2s.sgov.gov/123456789012/logins", "us-isob-east-1"),
        ("https://sqs.eu-isoe-west-1.cloud.adc-e.uk/123456789012/logins", "eu-isoe-west-1"),
        ("https://sqs.us-isof-south-1.csp.hci.ic.gov/123456789012/logins", "us-isof-south-1"),
        ("https://sqs.us-gov-east-1.api.aws/123456789012/logins", "us-gov-east-1"),
        ("https://cn-northwest-1.queue.amazonaws.com.cn/123456789012/logins", "cn-northwest-1"),
        ("https://vpce-0a1b-4e5f.sqs-fips.us-east-1.vpce.amazonaws.com/123456789012/logins", "us-east-1"),
        ("https://sqs.eu-central-1.amazonaws.com:443/123456789012/logins", "eu-central-1"),
        ("https://queue.amazonaws.com.cn/123456789012/logins", None),
        ("http://127.0.0.1:9324/000000000000/logins", None),
        ("https://sqs.eu-central-1.amazonaws.com.example.org/1/logins", None),
        ("logins", None),
    ],
)
def test_the_region_is_read_from_a_url_of_aws_and_from_nothing_else(queue: str, region: str | None) -> None:
    address = QueueAddress(queue)

    assert address.region == region


@pytest.mark.parametrize(
    ("queue", "endpoint", "region"),
    [
        ("logins", VPC_ENDPOINT, "eu-central-1"),
        ("logins", "https://sqs.internal.example", None),
        (AWS_URL, "https://sqs.internal.example", "eu-central-1"),
        (AWS_URL, "https://sqs-fips.us-east-1.amazonaws.com", "eu-central-1"),
    ],
)
def test_the_region_is_read_from_an_endpoint_where_no_url_names_it(
    queue: str, endpoint: str, region: str | None
) -> None:
    address = QueueAddress(queue, endpoint)

    assert address.region == region
    assert address.account == ("123456789012" if queue == AWS_URL else None)


@pytest.mark.parametrize(
    ("queue", "arn"),
    [
        (AWS_URL, "arn:aws:sqs:eu-central-1:123456789012:logins"),
        (f"{AWS_URL}.fifo", "arn:aws:sqs:eu-central-1:123456789012:logins.fifo"),
        (f"{VPC_ENDPOINT}/123456789012/logins", "arn:aws:sqs:eu-central-1:123456789012:logins"),
        ("https://sqs-fips.us-west-2.api.aws/123456789012/logins", "arn:aws:sqs:us-west-2:123456789012:logins"),
        ("https://queue.amazonaws.com/123456789012/logins", "arn:aws:sqs:us-east-1:123456789012:logins"),
        (
            "https://sqs.us-gov-west-1.amazonaws.com/123456789012/logins",
            "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:logins",
        ),
        (
            "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/logins",
            "arn:aws-cn:sqs:cn-north-1:123456789012:logins",
        ),
        (
            "https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/logins",
            "arn:aws-eusc:sqs:eusc-de-east-1:123456789012:logins",
        ),
        (
            "https://sqs.us-iso-east-1.c2s.ic.gov/123456789012/logins",
            "arn:aws-iso:sqs:us-iso-east-1:123456789012:logins",
        ),
        (
            "https://sqs.us-isob-east-1.sc2s.sgov.gov/123456789012/logins",
            "arn:aws-iso-b:sqs:us-isob-east-1:123456789012:logins",
        ),
        (
            "https://sqs.eu-isoe-west-1.cloud.adc-e.uk/123456789012/logins",
            "arn:aws-iso-e:sqs:eu-isoe-west-1:123456789012:logins",
        ),
        (
            "https://sqs.us-isof-south-1.csp.hci.ic.gov/123456789012/logins",
            "arn:aws-iso-f:sqs:us-isof-south-1:123456789012:logins",
        ),
        ("https://sqs.xx-nowhere-1.amazonaws.com/123456789012/logins", "arn:aws:sqs:xx-nowhere-1:123456789012:logins"),
        ("https://sqs.eu-central-1.amazonaws.com/1/logins", None),
        ("http://127.0.0.1:9324/123456789012/logins", None),
        ("logins", None),
    ],
)
def test_the_arn_is_read_from_a_url_of_aws_in_every_partition(queue: str, arn: str | None) -> None:
    address = QueueAddress(queue)

    assert address.arn == arn


@pytest.mark.parametrize("queue", ["Logins_2-eu", "a" * 80])
def test_every_name_that_sqs_allows_is_taken(queue: str) -> None:
    assert QueueAddress(queue).name == queue


@pytest.mark.parametrize(("queue", "is_url"), [("logins", False), (AWS_URL, True)])
def test_it_knows_whether_a_url_was_given(queue: str, is_url: bool) -> None:
    address = QueueAddress(queue)

    assert address.is_url is is_url


@pytest.mark.parametrize(
    "queue",
    [
        "",
        "two words",
        "logins\n",
        "logins?x=1",
        "x" * 81,
        "https://",
        "https://sqs.eu-central-1.amazonaws.com",
        "ftp://sqs.eu-central-1.amazonaws.com/123456789012/logins",
        f"{AWS_URL}?Action=ReceiveMessage",
        f"{AWS_URL}/two words",
    ],
)
def test_what_is_neither_a_url_nor_a_name_is_refused_and_quoted(queue: str) -> None:
    with pytest.raises(UsageError) as refused:
        QueueAddress(queue)

    assert str(refused.value) == f"queue {queue!r}: give a queue's URL or its name"


@pytest.mark.parametrize(
    ("queue", "is_fifo"), [("logins.fifo", True), (f"{AWS_URL}.fifo", True), ("logins", False), (AWS_URL, False)]
)
def test_a_fifo_queue_is_known_by_its_name(queue: str, is_fifo: bool) -> None:
    assert QueueAddress(queue).is_fifo == is_fifo


@pytest.mark.parametrize(
    "endpoint",
    [
        *("", "127.0.0.1:9324", "localhost", "http://", "http:///path", "ftp://host"),
        *("http://127.0.0.1:door", "http://two words", "http://[::1"),
    ],
)
def test_an_endpoint_that_is_no_url_is_refused_with_an_example(endpoint: str) -> None:
    with pytest.raises(UsageError) as refused:
        QueueAddress("logins", endpoint)

    assert str(refused.value) == f"endpoint {endpoint!r}: give a URL like http://127.0.0.1:9324"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (QueueAddress("logins"), "logins"),
        (QueueAddress("logins", "http://127.0.0.1:9324"), "logins at http://127.0.0.1:9324"),
        (QueueAddress(AWS_URL, "http://127.0.0.1:9324"), f"{AWS_URL} at http://127.0.0.1:9324"),
        (QueueAddress(AWS_URL, "https://sqs.eu-central-1.amazonaws.com"), AWS_URL),
    ],
)
def test_its_text_says_where_the_queue_is_once(address: QueueAddress, text: str) -> None:
    assert str(address) == text


@pytest.mark.parametrize(
    ("queue", "endpoint", "called"),
    [
        (AWS_URL, None, "https://sqs.eu-central-1.amazonaws.com"),
        (AWS_URL, "http://127.0.0.1:9324", "http://127.0.0.1:9324"),
        (f"{VPC_ENDPOINT}/123456789012/logins", None, VPC_ENDPOINT),
        ("logins", None, None),
        ("logins", "http://127.0.0.1:9324", "http://127.0.0.1:9324"),
        ("http://127.0.0.1:9324/000000000000/logins", None, "http://127.0.0.1:9324"),
        ("https://sqs.local/queue/logins", "https://proxy.local", "https://proxy.local"),
    ],
)
def test_a_url_is_called_as_it_stands_unless_an_endpoint_is_given(
    queue: str, endpoint: str | None, called: str | None
) -> None:
    assert QueueAddress(queue, endpoint).service_endpoint == called


@pytest.mark.parametrize(
    ("queue", "endpoint", "parameter"),
    [
        ("https://user:hunter2@host/1/q", None, "queue"),
        ("https://hunter2@sqs.eu-central-1.amazonaws.com/1/q", None, "queue"),
        ("user:hunter2@host", None, "queue"),
        ("https:/user:hunter2@host/1/q", None, "queue"),
        ("https://user:hunt/er2@host/1/q", None, "queue"),
        (f"{AWS_URL}?Action=ReceiveMessage&X-Amz-Security-Token=hunter2", None, "queue"),
        (f"{AWS_URL}?AWSAccessKeyId=A&Signature=hunter2", None, "queue"),
        ("logins", "https://user:hunter2@127.0.0.1:9324", "endpoint"),
        ("logins", "user:hunter2@127.0.0.1:9324", "endpoint"),
    ],
)
def test_credentials_in_a_url_are_refused_and_not_shown(queue: str, endpoint: str | None, parameter: str) -> None:
    with pytest.raises(UsageError) as refusal:
        QueueAddress(queue, endpoint)

    assert str(refusal.value).startswith(f"{parameter}: a URL with credentials is not taken")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("queue", "endpoint", "named"),
    [
        ("http://sqs.internal:9324/1/logins", None, "queue http://sqs.internal:9324"),
        ("http://10.0.0.7/1/logins", None, "queue http://10.0.0.7"),
        ("logins", "http://sqs.internal:9324", "endpoint http://sqs.internal:9324"),
        ("logins", "http://127.0.0.1.example.org", "endpoint http://127.0.0.1.example.org"),
    ],
)
def test_http_beyond_this_machine_is_refused_unless_it_is_allowed_by_name(
    queue: str, endpoint: str | None, named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        QueueAddress(queue, endpoint)

    assert QueueAddress(queue, endpoint, allow_plaintext_endpoint=True).name == "logins"


@pytest.mark.parametrize("host", ["127.0.0.1:9324", "127.8.0.1", "localhost:9324", "sqs.localhost", "[::1]:9324"])
def test_http_on_this_machine_is_allowed(host: str) -> None:
    assert QueueAddress("logins", f"http://{host}").endpoint == f"http://{host}"
