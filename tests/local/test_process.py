"""One real process: ready, ended, stopped, killed."""

import re
import sys
import threading
from pathlib import Path

import pytest

from storefront.local.faults import Cancelled, NotReady
from storefront.local.process import Process
from tests.local.conftest import PATIENCE, READY, Starter, gone

LISTENING = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
raise SystemExit(7)
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY
WITH_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {READY!r}], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
{READY}
"""


def child_of(process: Process) -> int:
    """The process id that a WITH_CHILD program printed."""
    return int(next(line for line in process.last_lines() if line.isdigit()))


def test_a_process_is_ready_when_its_probe_says_so(start: Starter) -> None:
    process = start()
    process.wait_ready(PATIENCE)
    assert process.running
    assert process.exit_code is None


def test_a_process_that_ends_before_it_is_ready_is_reported_with_its_last_lines(start: Starter) -> None:
    process = start("print('no such setting'); raise SystemExit(3)")
    with pytest.raises(NotReady) as caught:
        process.wait_ready(PATIENCE)
    assert caught.value.lines == ["no such setting"]
    assert "exit code 3" in str(caught.value)
    assert "no such setting" in str(caught.value)


def test_a_process_that_never_becomes_ready_is_reported_when_the_time_is_over(start: Starter) -> None:
    process = start("import time; time.sleep(600)")
    with pytest.raises(NotReady, match=r"no answer within 0\.2 seconds"):
        process.wait_ready(0.2)


def test_a_wait_can_be_called_off(start: Starter) -> None:
    process = start("import time; time.sleep(600)")
    with pytest.raises(Cancelled):
        process.wait_ready(PATIENCE, cancelled=lambda: True)


def test_a_program_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    process = Process("stub", [str(tmp_path / "nothing")], lambda _: True)
    with pytest.raises(NotReady, match="No such file"):
        process.start()
    assert not process.running


def test_a_stopped_process_was_asked_to(start: Starter) -> None:
    process = start(LISTENING)
    process.wait_ready(PATIENCE)
    process.stop()
    assert process.exit_code == 7


def test_a_process_that_will_not_stop_is_killed(start: Starter) -> None:
    process = start(DEAF)
    process.wait_ready(PATIENCE)
    process.stop(grace=0.1)
    assert process.exit_code == -9
    assert "signal 9" in process.ending


def test_a_killed_process_takes_its_children_along(start: Starter) -> None:
    process = start(WITH_CHILD)
    process.wait_ready(PATIENCE)
    child = child_of(process)
    process.kill()
    assert gone(child)


def test_a_process_that_ends_by_itself_takes_its_children_along(start: Starter) -> None:
    process = start(WITH_CHILD.replace("time.sleep(600)", "time.sleep(0)"))
    child = child_of_ended(process)
    assert gone(child)


def child_of_ended(process: Process) -> int:
    """The child's id once the process has ended."""
    ended = threading.Event()
    process.on_exit = lambda _: ended.set()
    assert not process.running or ended.wait(PATIENCE)
    return child_of(process)


def test_a_killed_process_can_be_started_again_under_its_name(start: Starter) -> None:
    process = start()
    process.wait_ready(PATIENCE)
    first = process.pid
    process.kill()
    assert not process.said("never")
    process.start()
    process.wait_ready(PATIENCE)
    assert process.pid != first


def test_starting_a_running_process_changes_nothing(start: Starter) -> None:
    process = start()
    first = process.pid
    process.start()
    assert process.pid == first


def test_stopping_a_process_that_does_not_run_is_quiet() -> None:
    process = Process("stub", [sys.executable], lambda _: True)
    process.stop()
    process.kill()
    assert process.pid is None


def test_lines_reach_the_sink_except_the_hidden_ones(start: Starter) -> None:
    lines: list[str] = []
    process = start("print('one'); print('noise 2'); " + READY, sink=lines.append, hidden=re.compile("^noise"))
    process.wait_ready(PATIENCE)
    process.kill()
    assert lines == ["one", "ready"]
