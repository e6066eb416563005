"""Fills the English catalogue: a sentence that has no wording there yet is worded as in the code.

``make translations`` runs it. So English may be reworded in its catalogue, without touching the code.
"""

import sys
from pathlib import Path

from babel.messages.pofile import read_po, write_po


def fill(path: Path) -> None:
    """Give each sentence without a wording the code's own."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale="en")
    for message in catalogue:
        if message.id and not any(message.string if isinstance(message.string, tuple) else [message.string]):
            message.string = message.id
    with path.open("wb") as file:
        write_po(file, catalogue, width=120)


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
