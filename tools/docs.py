"""Writes the generated documents anew: `make docs`. A test holds them to what the code says (`--check`).

Each is made by a function without arguments that returns the whole text; whoever adds a generated document adds its
line to GENERATED.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
GENERATED: Final[dict[str, str]] = {
    # document → "module:function" that returns its text
    "docs/job-states.md": "migrator.jobs.diagram:job_states_markdown",
}


def main(arguments: Sequence[str]) -> int:
    stale = [document for document, maker in GENERATED.items() if refresh(document, maker, write=not arguments)]
    for document in stale:
        print(f"{document}: {'out of date; run `make docs`' if arguments else 'written'}")
    return 1 if arguments and stale else 0


def refresh(document: str, maker: str, *, write: bool) -> bool:
    """True when the document on disk differs from what the code says; with `write` it is then written."""
    module, function = maker.split(":")
    text: str = getattr(importlib.import_module(module), function)()
    path = ROOT / document
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    if write:
        path.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("Usage: python -m tools.docs [--check]")
    sys.exit(main(sys.argv[1:]))
