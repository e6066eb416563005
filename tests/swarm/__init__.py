"""Tests of the fairness rehearsal, so that it can't rot."""
