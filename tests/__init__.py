"""The tests. Real Redis, a real Kafka-protocol broker and real processes everywhere but in tests/domain."""
