"""A run's metrics for monitoring systems: Prometheus fetches them (`maskline.pipeline.http`), others are sent them."""
