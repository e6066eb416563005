"""Tests of the benchmark, so that it can't rot."""
