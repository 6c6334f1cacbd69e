"""A run's metrics, for whoever takes them: Prometheus fetches them (`maskline.pipeline.http`), others are sent them."""
