"""Apache Kafka from Maven Central: fetched once per version into a folder of the project that git doesn't keep."""

import fcntl
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from storefront.local.faults import CannotStart
from storefront.local.services import ROOT

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
CACHE = ROOT / ".kafka"
JAVA = 17  # the oldest that runs the broker of pom.xml
PATIENCE = 300.0  # seconds for some 45 MB

_AFTER = "Install it (on Debian: apt-get install {}), or do without real Kafka: the embedded broker needs neither."


def jars() -> Path:
    """The folder of the broker's jars; another one whenever pom.xml changes."""
    return CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def available() -> str | None:
    """None if Kafka can be started here, having been fetched by now; else a sentence that says what is missing."""
    try:
        fetch()
    except CannotStart as fault:
        return str(fault)
    return None


def fetch() -> None:
    """Have the jars in their folder; several processes may ask at once.

    Raises CannotStart where Java or Maven is missing or Maven Central can't be reached.
    """
    _require_java()
    if jars().is_dir():
        return
    if shutil.which("mvn") is None:
        raise CannotStart(f"Kafka is fetched with Maven, and there is no mvn on the PATH. {_AFTER.format('maven')}")
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars().is_dir():
            _copy_from_maven(jars())


def _require_java() -> None:
    if shutil.which("java") is None:
        raise CannotStart(
            f"Kafka needs Java {JAVA} or newer, and there is no java on the PATH. "
            + _AFTER.format("default-jre-headless")
        )
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', said.stderr)
    if version is None or int(version[1]) < JAVA:
        found = said.stderr.strip().partition("\n")[0] or "nothing"
        raise CannotStart(f"Kafka needs Java {JAVA} or newer; `java -version` says: {found}.")


def _copy_from_maven(folder: Path) -> None:
    """Fill a folder beside its place and move it there, so that it is whole or not there at all."""
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"]
    try:
        done = subprocess.run(
            ["mvn", "-B", "-q", "-f", str(POM), *goal], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as fault:
        raise CannotStart(f"Maven did not fetch Kafka within {PATIENCE:g} seconds. Try again.") from fault
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
        raise CannotStart(f"Maven could not fetch Kafka: {errors[0] if errors else done.stderr.strip()}")
    unfinished.rename(folder)
