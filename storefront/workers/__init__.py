"""The workers: Kafka and RQ as doors onto the same services that the web calls."""
