"""Prepares .venv with exactly what is locked. Needs nothing but a Python: no pip, no ensurepip, no root.

    python3 tools/bootstrap.py runtime     what `postwagen` needs        (make setup, demo, run)
    python3 tools/bootstrap.py dev         the same and the test tools   (make test, check, ...)

With --this-python, .venv is made again when it was made with another version than the one that runs this script.

A fresh Debian or Ubuntu has `python3` without python3-venv and python3-pip, so the environment is made without pip
and filled by the pip wheel beside this file. A stamp in .venv names what was installed; while it fits, this
script is done in a blink. Several may run at the same time: they take turns.

This file must be readable by Python 3.6 too, because it is what tells people that theirs is too old.
"""

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
from typing import Sequence

OLDEST = (3, 11)
CANDIDATES = ("python3.13", "python3.12", "python3.11")  # looked for when `python3` is too old and PYTHON was not given

TOOLS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TOOLS)
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
ELSEWHERE = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV")
LOCKS = {"runtime": ("runtime", "build"), "dev": ("dev",)}  # set → files in requirements/; dev contains the other two


def main(wanted: str, this_python: bool) -> int:
    if sys.version_info[:2] < OLDEST:
        return restart_with_newer(wanted, this_python)
    with open(os.path.abspath(__file__)) as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not venv_is_ours(this_python):
            make_venv()
        if not is_stamped(wanted):
            install(wanted)
        compile_translations()
    return 0


def restart_with_newer(wanted: str, this_python: bool) -> int:
    """Runs this script again with a newer Python if there is one, else says in one sentence what is missing."""
    if not this_python:
        for name in CANDIDATES:
            path = shutil.which(name)
            if path:
                os.execv(path, [path, os.path.abspath(__file__), wanted])
    sys.stderr.write(
        f"Postwagen needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and {sys.executable} is {python_version()}: "
        "install a newer one beside it and run, for example, `make setup PYTHON=python3.12`.\n"
    )
    return 2


def venv_is_ours(this_python: bool) -> bool:
    """True when .venv works, was made here (scripts hold absolute paths) and with the Python that was asked for."""
    try:
        with open(os.path.join(VENV, ".made")) as made:
            path, version = made.read().splitlines()
        found = subprocess.check_output([VENV_PYTHON, "-c", "import sys; print(sys.version)"], universal_newlines=True)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False
    if this_python and version != python_version():
        return False
    return path == VENV and found.split(".")[:2] == version.split(".")[:2]  # the system may have moved on to another


def make_venv() -> None:
    say(f"Making .venv with Python {python_version()}")
    shutil.rmtree(VENV, ignore_errors=True)
    run([base_python(), "-m", "venv", "--without-pip", VENV])
    with open(os.path.join(VENV, ".made"), "w") as made:
        made.write(f"{VENV}\n{python_version()}\n")


def base_python() -> str:
    """The interpreter itself even when this script runs inside some other virtual environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def install(wanted: str) -> None:
    say(f"Installing the locked packages ({wanted})")
    for stamp in glob.glob(os.path.join(VENV, ".installed-*")):
        os.remove(stamp)  # a half-finished installation must not look finished
    locks = [f"--requirement={lock_file(name)}" for name in LOCKS[wanted]]
    pip(["--require-hashes", "--only-binary=:all:", *locks])
    pip(["--no-deps", "--no-index", "--no-build-isolation", "--editable", ROOT])
    for name in LOCKS if wanted == "dev" else (wanted,):
        with open(stamp_file(name), "w"):
            pass


def pip(arguments: Sequence[str]) -> None:
    wheels = glob.glob(os.path.join(TOOLS, "pip-*.whl"))
    if len(wheels) != 1:
        sys.exit(f"tools/ must hold exactly one pip wheel, and holds {len(wheels)}.")
    command = [VENV_PYTHON, os.path.join(wheels[0], "pip")]  # a wheel is a zip file, and pip runs from it
    run([*command, "install", "--quiet", "--no-input", "--no-warn-script-location", *arguments])


def run(command: Sequence[str]) -> None:
    """Runs `command`, silent unless it fails, without those settings of this user that would install elsewhere."""
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore")
    for name in ELSEWHERE:
        environment.pop(name, None)
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        sys.exit(f"Setting up .venv failed (exit code {done.returncode}); what went wrong stands above.")


def is_stamped(wanted: str) -> bool:
    return os.path.exists(stamp_file(wanted))


def stamp_file(wanted: str) -> str:
    """A name that changes with everything that the installed environment depends on."""
    import tomllib  # here, because old Pythons do not have it

    digest = hashlib.sha256()
    for name in LOCKS[wanted]:
        with open(lock_file(name), "rb") as lock:
            digest.update(lock.read())
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as source:
        settings = tomllib.load(source)
    # Not the whole file: who changes a rule of the linter need not install again.
    digest.update(repr([settings["build-system"], settings["project"], settings["tool"]["hatch"]]).encode())
    return os.path.join(VENV, f".installed-{wanted}-{digest.hexdigest()[:16]}")


def lock_file(name: str) -> str:
    return os.path.join(ROOT, "requirements", name + ".txt")


def compile_translations() -> None:
    """Makes each .mo that is missing or older than its .po (the .mo files are not kept in git)."""
    for source in glob.glob(os.path.join(ROOT, "web", "translations", "*", "LC_MESSAGES", "*.po")):
        compiled = source[: -len(".po")] + ".mo"
        if not os.path.exists(compiled) or os.path.getmtime(compiled) < os.path.getmtime(source):
            language = os.path.basename(os.path.dirname(os.path.dirname(source)))
            babel = os.path.join(VENV, "bin", "pybabel")
            run([babel, "--quiet", "compile", "--locale", language, "--input-file", source, "--output-file", compiled])


def python_version() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in LOCKS or sys.argv[2:] not in ([], ["--this-python"]):
        sys.exit("Usage: bootstrap.py runtime|dev [--this-python]")
    sys.exit(main(sys.argv[1], bool(sys.argv[2:])))
