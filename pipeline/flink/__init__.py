"""Flink: options, environments, submission, and a cluster on the local machine."""
