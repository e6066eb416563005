"""Redis. Stores translate between values and keys; every decision that must be atomic is a script in ``lua/``."""
