"""The data folder: what a shop keeps between two runs, used by one running shop at a time."""

import contextlib
import fcntl
import os
import secrets
import shlex
import time
from collections.abc import Mapping
from pathlib import Path

from storefront.local.faults import CannotStart

PATIENCE = 4.0  # seconds: what a SIGKILLed shop's guard needs at most to clear up
POLL = 0.1


class DataFolder:
    """The folder ``path``, made where it is missing.

    Raises CannotStart if another shop runs in it or it can't be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self.lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise CannotStart(
                f"The data folder {path} can't be used ({fault.strerror}). Name another one with VAR."
            ) from fault
        if not self._locked():
            os.close(self.lock)
            raise CannotStart(
                f"Another shop runs in the data folder {path}. Stop it, or give this one a folder of its own with VAR."
            )

    def subfolder(self, name: str) -> Path:
        """A folder inside, made where it is missing."""
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder

    def secret(self) -> str:
        """The secret of this folder's shop: random, made once, readable by its owner alone."""
        file = self.path / "secret"
        with contextlib.suppress(FileExistsError):
            self._write_new(file, secrets.token_hex(32))
        return file.read_text().strip()

    def keep_settings(self, settings: Mapping[str, str]) -> None:
        """Write down this run's settings for a shell, readable by their owner alone (`make flask` reads them)."""
        file = self.path / "env"
        file.unlink(missing_ok=True)
        self._write_new(file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))

    def close(self) -> None:
        """Let another shop use the folder."""
        os.close(self.lock)

    def _locked(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(POLL)
            else:
                return True

    def _write_new(self, file: Path, text: str) -> None:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
