"""Tests of `maskline.sqs`."""
