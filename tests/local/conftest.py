"""Small programs to supervise, and a way to run scripts that must be killed."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from storefront.local.process import Process

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0  # seconds: a loaded machine is slow, and a test waits that long only if it fails

READY = "import time; print('ready', flush=True); time.sleep(600)"

Starter = Callable[..., Process]
Runner = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Starter]:
    """Start a small Python program as a Process; ended after the test."""
    processes: list[Process] = []

    def started(code: str = READY, **options: object) -> Process:
        process = Process("stub", [sys.executable, "-c", code], lambda stub: stub.said("ready"), **options)  # type: ignore[arg-type]
        processes.append(process)
        process.start()
        return process

    yield started
    for process in processes:
        process.kill()


@pytest.fixture
def run() -> Iterator[Runner]:
    """Run a Python program in a process that the test may end as it likes; ended after the test."""
    running: list[subprocess.Popen[str]] = []

    def runs(*arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        running.append(process)
        return process

    yield runs
    for process in running:
        process.kill()
        process.communicate()


def gone(pid: int) -> bool:
    """Whether a process ends within the test's patience (one that nobody has reaped yet counts as ended)."""
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            psutil.wait_procs([process], timeout=PATIENCE)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
