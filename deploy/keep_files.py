"""Put static files where nginx finds each by its content: `python deploy/keep_files.py static /srv/shop/files`.

A page names a file as `/static/NAME?v=VERSION`; it stands in the folder as `VERSION/NAME`, and stays there when later
releases have another. So pages of every release get what they ask for, whichever release is running.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path


def version(content: bytes) -> str:
    """As the shop has it (`storefront/web/assets.py`)."""
    return hashlib.sha256(content).hexdigest()[:12]


def main() -> int:
    """Add what isn't there yet, from the first folder that the command line names to the second."""
    source, kept = (Path(word) for word in sys.argv[1:3])
    for file in source.rglob("*"):
        if file.is_file():
            place = kept / version(file.read_bytes()) / file.relative_to(source)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                # Beside its place and then there, so that nobody is given half of it; readable for nginx.
                coming = place.with_name(f"{place.name}.{os.getpid()}")
                shutil.copyfile(file, coming)
                coming.chmod(0o644)
                coming.replace(place)
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
