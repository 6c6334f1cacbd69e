"""What the job costs, measured: ``python -m benchmarks``. Above `pipeline`, which knows nothing of it."""
