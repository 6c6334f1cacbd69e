"""A running job over HTTP: metrics for Prometheus, probes for whoever restarts it, and a page for people."""
