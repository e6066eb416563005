"""Several processes kept running: started in order, restarted, stopped in reverse."""

import os
import signal
import subprocess

import pytest

from storefront.local.supervisor import FIRST_DELAY, LONGEST_DELAY, SETTLED, Backoff
from tests.local.conftest import PATIENCE, Runner, gone

SCRIPT = """
import sys
from storefront.local.faults import NotReady
from storefront.local.guard import Guard
from storefront.local.process import Process
from storefront.local.supervisor import Supervisor

PROGRAM = '''
import signal, sys, time
deaf, broken = "deaf" in sys.argv, "broken" in sys.argv
signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, [] if deaf else [signal.SIGTERM])
if broken:
    sys.exit("a setting is missing")
print("ready", flush=True)
time.sleep(600) if deaf else signal.sigwait([signal.SIGTERM])
print("bye", flush=True)
'''
guard = Guard()

def process(name, *words):
    argv = [sys.executable, "-c", PROGRAM, *words]
    return Process(name, argv, lambda it: it.said("ready"), sink=lambda line: print(name, line), guard=guard)

processes = [process(name, *words) for name, *words in map(str.split, sys.argv[1:])]
say = lambda line: print(line)
try:
    Supervisor(processes, say).run(lambda: print("up", *(it.pid for it in processes)))
except NotReady as fault:
    sys.exit(str(fault))
"""


def until(process: "subprocess.Popen[str]", beginning: str) -> list[str]:
    """The lines up to and with the first that begins so."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(beginning):
            return lines
    pytest.fail(f"no line begins with {beginning!r}: {lines}")


def pids(lines: list[str]) -> list[int]:
    """The process ids in the line that tells them."""
    return [int(word) for word in lines[-1].split()[1:]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_reverse_order_and_counts_as_success(run: Runner, number: int) -> None:
    supervisor = run("-c", SCRIPT, "redis", "broker", "web")
    until(supervisor, "up")
    supervisor.send_signal(number)
    rest, errors = supervisor.communicate(timeout=PATIENCE)
    assert rest.splitlines() == ["web bye", "broker bye", "redis bye"]
    assert (supervisor.returncode, errors) == (0, "")


def test_processes_start_in_order_each_when_the_one_before_is_ready(run: Runner) -> None:
    assert until(run("-c", SCRIPT, "redis", "broker", "web"), "up")[:-1] == ["redis ready", "broker ready", "web ready"]


def test_a_crashed_process_is_started_again_and_the_others_are_left_alone(run: Runner) -> None:
    supervisor = run("-c", SCRIPT, "redis", "web")
    redis, web = pids(until(supervisor, "up"))
    os.kill(web, signal.SIGKILL)
    lines = until(supervisor, "web ready")
    assert lines[0] == "web stopped (killed by signal 9, Killed); starting it again in 0.5 s"
    assert lines[1].startswith("web started again")
    os.kill(redis, 0)


def test_a_second_signal_kills_at_once(run: Runner) -> None:
    supervisor = run("-c", SCRIPT, "redis", "web deaf")
    running = pids(until(supervisor, "up"))
    supervisor.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.wait(0.5)
    supervisor.send_signal(signal.SIGINT)
    supervisor.wait(PATIENCE)
    assert supervisor.returncode == 0
    assert all(gone(pid) for pid in running)


def test_a_process_that_never_became_ready_stops_the_start_and_is_named(run: Runner) -> None:
    supervisor = run("-c", SCRIPT, "redis", "web broken")
    lines, errors = supervisor.communicate(timeout=PATIENCE)
    assert supervisor.returncode == 1
    assert "web did not become ready: it stopped at once (exit code 1)" in errors
    assert "a setting is missing" in errors
    assert "Traceback" not in errors
    assert lines.splitlines()[-1] == "redis bye"


def test_a_signal_during_the_start_ends_it(run: Runner) -> None:
    supervisor = run("-c", SCRIPT.replace('print("ready"', 'print("here"'), "redis")
    until(supervisor, "redis here")
    supervisor.send_signal(signal.SIGINT)
    lines, errors = supervisor.communicate(timeout=PATIENCE)
    assert (supervisor.returncode, errors, lines) == (0, "", "redis bye\n")


def test_restarts_come_ever_slower_up_to_a_limit() -> None:
    backoff = Backoff()
    delays = [backoff.crashed(now=0) for _ in range(8)]
    assert delays == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert (delays[0], delays[-1]) == (FIRST_DELAY, LONGEST_DELAY)


def test_a_process_that_lived_long_is_restarted_quickly_again() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.crashed(now=0)
    backoff.started(now=100)
    assert backoff.crashed(now=100 + SETTLED) == FIRST_DELAY
