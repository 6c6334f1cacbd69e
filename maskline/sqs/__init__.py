"""The queue: one small client of four verbs, and what is built on it."""

from maskline.sqs.address import QueueAddress
from maskline.sqs.client import DeleteFailure, Queue, QueueDepth, SqsQueue

__all__ = ["DeleteFailure", "Queue", "QueueAddress", "QueueDepth", "SqsQueue"]
