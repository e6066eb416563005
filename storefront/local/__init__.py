"""The whole shop on one machine: Redis, broker, web and workers as real processes. Nothing of the shop imports this."""
