"""The queue's servers that are only measured against: ElasticMQ, and a stub that answers at once."""
