"""`postwagen demo`: what a newcomer types first. It shows its table, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.worker.crew import alive, descendants, until

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_demo_moves_a_mailbox_proves_it_and_leaves_no_process(end: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTWAGEN_")}
    with log.open("wb") as out:
        demo = subprocess.Popen(
            [sys.executable, "-m", "migrator.cli", "demo", "--keep"],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip
    try:
        until(lambda: "Ctrl-C ends it." in log.read_text() or demo.poll() is not None, 60)
        said = log.read_text()
        found = re.search(r"Every one of (\d+) messages was read back and compared by SHA-256: equal", said)
        assert found, said[-3000:]
        assert int(found[1]) >= 500
        link = re.search(r"by this link, once: (\S+)", said)
        assert link, said[-3000:]
        with urllib.request.urlopen(link[1]) as page:
            assert page.status == 200
        below = descendants(demo.pid)
        assert len(below) > 5
        demo.send_signal(end)
        code = demo.wait(40)
        assert code == (-end if end is signal.SIGKILL else 0)
        until(lambda: not alive(below), 30)
        if end is not signal.SIGKILL:
            assert [path for path in tmp_path.iterdir() if path.name.startswith("postwagen-demo-")] == []
    finally:
        if demo.poll() is None:
            demo.kill()
            demo.wait()
