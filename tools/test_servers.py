"""Sees to it that the servers which tests use are here: Dovecot, Redis, PostgreSQL, Chromium; and mbsync, for `bench`.

    python tools/test_servers.py         install what is missing, where that may be done: as root, or by a
                                         sudo that asks for no password, and with apt-get

Cyrus and Courier cannot be installed beside Dovecot. Their packages are downloaded by apt-get, from where this machine
has its packages, and unpacked into `.test-servers/`, with the libraries they need that are not installed; no root.

POSTWAGEN_TEST_SERVERS=auto (the default): what cannot be installed is named, with the command that installs it, and
the tests that need it are skipped. POSTWAGEN_TEST_SERVERS=required: then the exit code is 1.

The servers are only installed, never started: tests start their own, with their own files on ports of their own.
Tests find the programs by `find("dovecot")` and so on, and the directory of an unpacked one by `unpacked("cyrus")`.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PROGRAMS: Final = {
    # name → (where it may be beside the PATH, Debian packages that bring it)
    "dovecot": (["/usr/sbin/dovecot"], ["dovecot-core"]),
    "dovecot-imap": (["/usr/lib/dovecot/imap", "/usr/libexec/dovecot/imap"], ["dovecot-imapd"]),
    "dovecot-pop3": (["/usr/lib/dovecot/pop3", "/usr/libexec/dovecot/pop3"], ["dovecot-pop3d"]),
    "mbsync": ([], ["isync"]),
    "redis-server": ([], ["redis-server"]),
    "postgres": (["/usr/lib/postgresql/*/bin/postgres"], ["postgresql"]),
    "initdb": (["/usr/lib/postgresql/*/bin/initdb"], ["postgresql"]),
    "chromium": (["~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome", "/usr/bin/google-chrome"], ["chromium"]),
}
UNPACKED: Final = {
    # name → (its main program inside, Debian packages)
    "cyrus": ("usr/lib/cyrus/bin/imapd", ["cyrus-imapd", "cyrus-common"]),
    "courier": ("usr/bin/imapd", ["courier-imap", "courier-base", "courier-authlib"]),
}
SHELF: Final = Path(__file__).parents[1] / ".test-servers"
POLICY: Final = Path("/usr/sbin/policy-rc.d")


def find(name: str) -> Path | None:
    """Where the program is that PROGRAMS calls `name`; None when it is not installed."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    for pattern in PROGRAMS[name][0]:
        absolute = Path(pattern).expanduser()
        found = list(Path("/").glob(str(absolute.relative_to("/"))))
        if found:
            return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))])  # newest
    return None


def unpacked(name: str) -> Path | None:
    """The directory that holds the server which UNPACKED calls `name` as if it were `/`; None when it is not there."""
    return SHELF / name if (SHELF / name / UNPACKED[name][0]).exists() else None


def missing_packages() -> list[str]:
    return sorted({package for name, (_, packages) in PROGRAMS.items() if not find(name) for package in packages})


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] == "--install":  # what sudo runs
        return install(arguments[1:])
    wish = os.environ.get("POSTWAGEN_TEST_SERVERS", "auto")
    if wish not in ("auto", "required"):
        say(f"POSTWAGEN_TEST_SERVERS is {wish!r}; it may be auto or required.")
        return 2
    packages = missing_packages()
    if packages and may_install():
        say(f"Installing test servers: {' '.join(packages)}")
        as_root([sys.executable, __file__, "--install", *packages])
        if not find("chromium"):  # Ubuntu has it as a snap only: take the one that Playwright brings
            as_root([sys.executable, "-m", "playwright", "install-deps", "chromium"])
            run([sys.executable, "-m", "playwright", "install", "chromium"])
        packages = missing_packages()
    failed = [reason for name in UNPACKED if not unpacked(name) and (reason := unpack(name))]
    if not packages and not failed:
        return 0
    if packages:
        say(f"Test servers are missing; `apt-get install --no-install-recommends {' '.join(packages)}` brings them.")
    for reason in failed:
        say(reason)
    if wish == "required":
        return 1
    say("Going on without them: the tests that need them are skipped.")
    return 0


def may_install() -> bool:
    if not shutil.which("apt-get"):
        return False
    if os.geteuid() == 0:
        return True
    return bool(shutil.which("sudo")) and run(["sudo", "-n", "true"]).returncode == 0


def as_root(command: Sequence[str]) -> None:
    """Runs `command`; what goes wrong is seen afterwards, by what is still missing."""
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*prefix, *command], stdin=subprocess.DEVNULL)


def install(packages: Sequence[str]) -> int:
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    updated = run([*apt, "update"])
    known = [package for package in packages if run(["apt-cache", "show", package]).returncode == 0]
    with no_services():
        done = run([*apt, "install", "--yes", "--no-install-recommends", *known])
    if done.returncode or len(known) < len(packages):
        say(updated.stdout + done.stdout)
    return done.returncode


def unpack(name: str) -> str:
    """Downloads and unpacks a server, wholly or not at all; why it could not be done, or nothing."""
    program, packages = UNPACKED[name]
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return f"{name} is missing: it comes from Debian's packages, and here is no apt-get or no dpkg-deb."
    say(f"Downloading and unpacking {name}, without installing it.")
    SHELF.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SHELF) as work:
        said = download(with_libraries(packages), Path(work))
        if said and may_install():  # perhaps its lists of packages are old, or were never fetched
            as_root(["apt-get", "-qq", "update"])
            said = download(with_libraries(packages), Path(work))
        tree = Path(work, name)
        for package in [] if said else Path(work).glob("*.deb"):
            said += extract(package, tree)
        if said or not (tree / program).exists():
            return f"{name} is missing: {said.strip() or f'its packages no longer hold {program}'}"
        tree.rename(SHELF / name)
    return ""


def with_libraries(packages: Sequence[str]) -> list[str]:
    """These packages and the libraries that they need and that are not installed, those of the libraries too."""
    here = installed_packages()
    every: set[str] = set()
    fresh = set(packages)
    while fresh:
        every |= fresh
        shown = run(["apt-cache", "show", "--no-all-versions", *sorted(fresh)]).stdout
        needs = [need for line in re.findall(r"^Depends: (.*)", shown, re.MULTILINE) for need in line.split(",")]
        first = {need.split("|")[0].split()[0].partition(":")[0] for need in needs}  # of alternatives
        fresh = {name for name in first if name.startswith("lib")} - every - here
    return sorted(every)


def installed_packages() -> set[str]:
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n"]
    return {line.split()[0] for line in run(query).stdout.splitlines() if line.endswith(" installed")}


def download(packages: Sequence[str], directory: Path) -> str:
    """What went wrong, or nothing. apt-get checks the signatures."""
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []  # else it says that it has none
    done = run(["apt-get", "-qq", *sandbox, "download", *packages], directory)
    return done.stdout if done.returncode else ""


def extract(package: Path, tree: Path) -> str:
    done = run(["dpkg-deb", "--extract", str(package), str(tree)])
    return done.stdout if done.returncode else ""


@contextmanager
def no_services() -> Iterator[None]:
    """Keeps packages from starting their services while they are installed; a policy that was there is put back."""
    before = POLICY.read_bytes() if POLICY.exists() else None
    mode = POLICY.stat().st_mode & 0o7777 if before is not None else 0
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            POLICY.unlink(missing_ok=True)
        else:
            POLICY.write_bytes(before)
            POLICY.chmod(mode)


def run(command: Sequence[str], directory: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
