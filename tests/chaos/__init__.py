"""A real sale under load while real processes are killed, stopped and robbed of their data; then everything is counted.

`make chaos` runs all of it; `test_chaos.py` a short form. Read `faults.py` for what is done, `verdict.py` for what must
hold afterwards.
"""
