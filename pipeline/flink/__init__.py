"""All that is about Flink: options, environments, submission, and a cluster of one's own machine."""
