"""Collects the texts of pages and code, updates web/translations/*/LC_MESSAGES/messages.po and compiles them.

The texts in the source are English; every other language in web/translations is a translation of them. A new
language begins with an empty directory: `mkdir web/translations/fr`, then `make translations`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = ROOT / "web" / "translations"
PYBABEL = str(Path(sys.executable).parent / "pybabel")
STEADY = ["--width=110", "--sort-by-file"]  # so that a commit shows what changed and nothing else


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        template = str(Path(scratch) / "messages.pot")
        keywords = [f"--keyword={name}" for name in ("lazy_gettext", "lazy_ngettext:1,2", "lazy_pgettext:1c,2")]
        about = ["--project=Postwagen", "--copyright-holder=the authors of Postwagen", "--add-location=file"]
        pybabel("extract", "--mapping=tools/babel.cfg", *keywords, *about, *STEADY, "--output", template, "web")
        for language in sorted(path.name for path in CATALOGUES.iterdir() if path.is_dir()):
            catalogue = CATALOGUES / language / "LC_MESSAGES" / "messages.po"
            catalogue.parent.mkdir(exist_ok=True)
            here = ["--locale", language, "--input-file", template, "--output-file", str(catalogue)]
            if catalogue.exists():
                pybabel("update", "--no-fuzzy-matching", "--ignore-pot-creation-date", *here, *STEADY[:1])
            else:
                pybabel("init", *here, STEADY[0])
            pybabel(
                "compile", "--statistics", "--locale", language, "--input-file", str(catalogue),
                "--output-file", str(catalogue.with_suffix(".mo")), quiet=False,
            )  # fmt: skip


def pybabel(verb: str, *arguments: str, quiet: bool = True) -> None:
    command = [PYBABEL, *(["--quiet"] if quiet else []), verb, *arguments]
    subprocess.run(command, cwd=ROOT, env=dict(os.environ), check=True)


if __name__ == "__main__":
    main()
