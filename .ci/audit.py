"""Known vulnerabilities in what the shop depends on, code that is risky, and secrets that got into the repository.

`make audit` runs it. Whatever is found fails. Where no database of vulnerabilities can be reached, it says so and goes
on.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PINS = ("requirements.txt", "requirements-dev.txt")
DATABASES = ("pypi", "osv")
BASELINE = ".secrets.baseline"
FINE = (0, 3)
"""Exit statuses of detect-secrets: nothing new, or what the baseline knows merely moved."""


def run(tool: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the virtual environment from the project's folder."""
    return subprocess.run([str(BIN / tool), *words], cwd=ROOT, capture_output=True, text=True, check=False)


def look_up(pins: list[str], database: str) -> list[dict[str, object]]:
    """What a database says of pinned packages; empty where it says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "found.json")
        files = [word for pin in pins for word in ("-r", pin)]
        options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--timeout", "10"]
        run("pip-audit", *options, *files, "-s", database, "-f", "json", "-o", str(found))
        told = json.loads(found.read_text())["dependencies"] if found.exists() else []
    return [one for one in told if "skip_reason" not in one]


def has_no_known_vulnerability() -> bool:
    """Asks about one package first, so that a database that doesn't answer isn't asked a hundred times."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "first.txt")
        pinned = (ROOT / PINS[0]).read_text()
        first.write_text(pinned[pinned.index("\nflask==") : pinned.index("\n    #", pinned.index("\nflask=="))])
        database = next((one for one in DATABASES if look_up([str(first)], one)), None)
    if database is None:
        print("Vulnerabilities: no database can be reached from here (PyPI, OSV), so nothing was looked up.")
        return True
    told = look_up(list(PINS), database)
    bad = [one for one in told if one["vulns"]]
    print(f"Vulnerabilities: {len(told)} packages looked up at {database}, {len(bad)} with known ones.")
    for one in bad:
        print(f"  {one['name']} {one['version']}: {one['vulns']}")
    return bool(told) and not bad


def has_no_risky_code() -> bool:
    """Of what runs in production; pyproject.toml says what is left out, and why."""
    done = run("bandit", "-q", "-c", "pyproject.toml", "-r", "storefront", "worker.py", "wsgi.py")
    print("Code: bandit finds nothing." if done.returncode == 0 else f"Code:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def has_no_secret() -> bool:
    """Beside those of the baseline, which somebody looked at: they are made up, or no secrets."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        print("Secrets: this is no git repository, so nothing tells which files are its own.")
        return True
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder, "baseline")
        known.write_bytes((ROOT / BASELINE).read_bytes())  # the tool would rewrite it when a line moves
        done = run("detect-secrets-hook", "--no-verify", "--baseline", str(known), *listed.stdout.splitlines())
    print("Secrets: none." if done.returncode in FINE else f"Secrets:\n{done.stdout}{done.stderr}")
    return done.returncode in FINE


if __name__ == "__main__":
    checks = [has_no_known_vulnerability(), has_no_risky_code(), has_no_secret()]
    sys.exit(0 if all(checks) else 1)
