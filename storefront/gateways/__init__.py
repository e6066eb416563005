"""The world outside Redis: the Kafka ledger and the payment provider."""
