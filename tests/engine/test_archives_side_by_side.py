"""Several archives filled by threads of one process, as a worker does it."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from migrator.archive import blobs
from migrator.archive.file import ArchiveFile
from migrator.archive.storing import blobs_of, sealed
from migrator.mail.messages import MessageKey
from migrator.ports import Letter, Parcel, Want
from tests.engine.test_archiving import KEY

THREADS, MESSAGES = 8, 60


def octets(thread: int, number: int) -> bytes:
    """Something that takes the compressor a while, and differs everywhere."""
    return random.Random(thread * 1000 + number).randbytes(3000).hex().encode() * 20


def fill(directory: Path, thread: int) -> None:
    with ArchiveFile(directory / f"{thread}.pwa", KEY, writable=True, create=True) as file:
        for number in range(1, MESSAGES + 1):
            told = octets(thread, number)
            letter = Letter(
                Want("INBOX", MessageKey(1, number), len(told)), told, len(told), lambda told=told: iter((told,))
            )
            with file.writing() as sql:
                assert blobs_of(sql, sealed(file.seal, 1, [Parcel(number, letter, (), None)])) == [number]


def main(directory: Path) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(fill, directory, thread) for thread in range(THREADS)]:
            done.result()


def test_threads_that_compress_at_the_same_time_do_not_meet_in_one_compressor(tmp_path: Path) -> None:
    """In a process of its own: where they do, it may end in the middle of a C library."""
    ran = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import main; from pathlib import Path; main(Path({str(tmp_path)!r}))"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    for thread in range(THREADS):
        with ArchiveFile(tmp_path / f"{thread}.pwa", KEY, writable=False) as file:
            for number in range(1, MESSAGES + 1):
                assert b"".join(blobs.read(file, number)) == octets(thread, number)
