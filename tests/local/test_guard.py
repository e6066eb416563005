"""Whatever ends a supervisor, nothing that it started stays."""

import os
import signal

from storefront.local.guard import Guard
from tests.conftest import eventually
from tests.local.conftest import PATIENCE, READY, Runner, Starter, gone

SUPERVISOR = f"""
import sys
from storefront.local.guard import Guard
from storefront.local.process import Process

program = '''
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {READY!r}], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
{READY}
'''
process = Process("stub", [sys.executable, "-c", program], lambda stub: stub.said("ready"), guard=Guard())
process.start()
process.wait_ready()
print(process.pid, process.last_lines()[0], flush=True)
sys.stdin.read()
"""


def test_a_supervisor_killed_with_sigkill_leaves_no_process_and_no_grandchild(run: Runner) -> None:
    supervisor = run("-c", SUPERVISOR)
    assert supervisor.stdout is not None
    child, grandchild = map(int, supervisor.stdout.readline().split())
    supervisor.kill()
    assert gone(child)
    assert gone(grandchild)


def test_a_closed_guard_stops_what_it_still_watches(start: Starter) -> None:
    guard = Guard()
    process = start(guard=guard)
    process.wait_ready(PATIENCE)
    guard.close()
    assert gone(process.pid or 0)


def test_a_guard_leaves_alone_what_it_was_told_to_forget(start: Starter) -> None:
    guard = Guard()
    process = start()
    process.wait_ready(PATIENCE)
    guard.watch(process.pid or 0)
    guard.forget(process.pid or 0)
    guard.close()
    assert process.running


def test_a_guard_that_was_killed_is_replaced_and_knows_what_to_watch(start: Starter) -> None:
    guard = Guard()
    first, second = start(guard=guard), start()
    first.wait_ready(PATIENCE)
    second.wait_ready(PATIENCE)
    killed = guard.pid
    os.kill(killed, signal.SIGKILL)
    assert gone(killed)
    guard.watch(second.pid or 0)
    assert guard.pid != killed
    guard.close()
    assert eventually(lambda: not first.running and not second.running, PATIENCE)
