"""The arrows of the house: who may import whom. Read from the sources with `ast`; a failure names the rule broken."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("migrator", "worker", "web")

# Which of our layers a layer may import; everybody may import errors, and itself.
MAY = {
    "migrator.mail": set(),
    "migrator.errors": set(),
    "migrator.ports": {"migrator.mail"},
    "migrator.settings": set(),
    "migrator.planning": {"migrator.mail", "migrator.ports"},
    "migrator.engine": {"migrator.mail", "migrator.ports", "migrator.planning"},
    "migrator.sessions": {"migrator.mail", "migrator.ports", "migrator.providers"},
    "migrator.providers": set(),
    "migrator.archive": {"migrator.mail", "migrator.ports"},
    "migrator.db": {"migrator.mail", "migrator.ports", "migrator.settings"},
}
ONLY_IN = {
    "imapclient": ("migrator/sessions/",),
    "imaplib": ("migrator/sessions/",),
    "poplib": ("migrator/sessions/",),
    "celery": ("worker/",),
    "flask": ("web/",),
    "alembic": ("migrator/db/",),
}
SQLALCHEMY = {"operations", "queries", "lease", "assignment", "budget", "making", "rows", "progress", "connections"}
"""Modules outside `db/` that may speak SQL."""


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(module: str) -> str:
    return ".".join(module.split(".")[:2]) if module.startswith("migrator.") else module.split(".", maxsplit=1)[0]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_arrows_point_down_only() -> None:
    broken = []
    for path in sources():
        here = layer(name_of(path))
        if here not in MAY:
            continue
        for module in imports(path):
            there = layer(module)
            if there in {here, "migrator.errors"} or not there.startswith("migrator."):
                continue
            if there not in MAY[here]:
                broken.append(f"{path.relative_to(ROOT)}: {here} must not import {there}")
    assert not broken, "\n".join(sorted(set(broken)))


def test_the_core_knows_neither_web_nor_worker() -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources()
        if path.is_relative_to(ROOT / "migrator")
        for module in imports(path)
        if module.split(".")[0] in ("web", "worker")
    ]
    assert not broken, "\n".join(broken)


def test_web_imports_one_name_of_worker() -> None:
    allowed = {"worker", "worker.queue", "worker.queue.enqueue"}
    broken = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources()
        if path.is_relative_to(ROOT / "web")
        for module in imports(path)
        if module.split(".")[0] == "worker" and module not in allowed
    ]
    assert not broken, "\n".join(broken)


def test_libraries_stay_in_their_rooms() -> None:
    broken = []
    for path in sources():
        where = path.relative_to(ROOT).as_posix()
        for module in imports(path):
            rooms = ONLY_IN.get(module.split(".")[0])
            if rooms and not where.startswith(rooms):
                broken.append(f"{where} imports {module}: only in {', '.join(rooms)}")
            if module.split(".")[0] == "sqlalchemy":
                speaks = where.startswith("migrator/db/") or path.stem in SQLALCHEMY
                if not speaks:
                    broken.append(f"{where} imports {module}: only in db/ and {', '.join(sorted(SQLALCHEMY))}")
    assert not broken, "\n".join(sorted(set(broken)))


def test_only_settings_reads_the_environment() -> None:
    """The demo's launchers of foreign servers and of our own children hand an environment on; nobody else looks."""
    broken = []
    for path in sources():
        where = path.relative_to(ROOT).as_posix()
        if where == "migrator/settings.py" or where.startswith("migrator/demo/"):
            continue
        broken.extend(
            f"{where}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
        )
    assert not broken, "os.environ is read only in migrator/settings.py: " + ", ".join(broken)


def test_what_decides_has_no_clock_and_no_sleep() -> None:
    forbidden = {"time", "socket", "threading", "subprocess", "os", "random"}
    broken = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources()
        if name_of(path).startswith(("migrator.planning", "migrator.mail"))
        for module in imports(path)
        if module.split(".")[0] in forbidden
    ]
    assert not broken, "\n".join(broken)


def test_no_file_is_a_drawer_for_everything() -> None:
    names = {"util", "utils", "helper", "helpers", "common", "misc"}
    assert not [str(path) for path in sources() if path.stem in names]
