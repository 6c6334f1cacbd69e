"""Tests on a real Flink cluster, which they start."""
