"""docker-compose.yml and Dockerfile hold what production rests on, as far as that shows without a Docker engine.

The schema of Compose files is the compose-spec project's own; it comes with the package check-jsonschema.
"""

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("postwagen:")}
DOCKERFILES = [ROOT / "Dockerfile", ROOT / "docker/lab-dovecot/Dockerfile"]

WITHOUT_HEALTH_CHECK = {
    "beat": "answers nobody; when it ends, its container ends and is started again",
    "migrate": "ends by itself; the others wait for its exit code",
}
ENDS_BY_ITSELF = {"migrate"}

each_service = pytest.mark.parametrize("name", sorted(SERVICES))
each_of_ours = pytest.mark.parametrize("name", sorted(OURS))
each_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_file_follows_the_compose_specification() -> None:
    schema = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


def test_the_parts_of_the_product_are_all_there() -> None:
    assert {"web", "worker", "beat", "migrate", "postgres", "redis"} <= set(SERVICES)


@each_service
def test_no_service_runs_as_root_or_may_become_root(name: str) -> None:
    service = SERVICES[name]
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.get("privileged")


@each_service
def test_every_service_is_watched_and_started_again(name: str) -> None:
    service = SERVICES[name]
    if name in WITHOUT_HEALTH_CHECK:
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == ("no" if name in ENDS_BY_ITSELF else "unless-stopped")


@each_service
def test_every_image_names_its_version(name: str) -> None:
    assert is_pinned(SERVICES[name]["image"])


def test_our_image_has_the_version_of_the_package() -> None:
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"postwagen:{version}"}


def test_every_secret_volume_and_network_is_declared_and_used() -> None:
    for kind, parts in {
        "secrets": lambda service: service.get("secrets", []),
        "networks": lambda service: service.get("networks", []),
        "volumes": lambda service: [volume.split(":")[0] for volume in service.get("volumes", [])],
    }.items():
        used = {part for service in SERVICES.values() for part in parts(service)}
        assert used == set(COMPOSE[kind]), kind


@each_service
def test_a_service_reads_only_secrets_that_it_is_given(name: str) -> None:
    service = SERVICES[name]
    read = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
    assert read == set(service.get("secrets", []))


@each_service
def test_no_secret_stands_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|SECRET|KEY|DATABASE_URL|BROKER_URL", variable):
            assert variable.endswith("_FILE"), variable
            assert value.startswith("/run/secrets/"), variable


def test_database_and_queue_cannot_be_reached_from_outside() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert name == "web"
            assert port.startswith("127.0.0.1:")


@each_of_ours
def test_the_product_starts_after_what_it_needs(name: str) -> None:
    needs = {other: when["condition"] for other, when in SERVICES[name]["depends_on"].items()}
    if name == "migrate":
        assert needs == {"postgres": "service_healthy"}
    else:
        assert needs == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }


def test_the_secrets_that_the_script_makes_are_those_that_are_declared(tmp_path: Path) -> None:
    script = tmp_path / "docker" / "make-secrets.sh"
    script.parent.mkdir()
    script.write_bytes((ROOT / "docker" / "make-secrets.sh").read_bytes())
    for _ in range(2):  # the second time changes nothing
        subprocess.run(["sh", script], check=True, stdin=subprocess.DEVNULL)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
        assert {f"./secrets/{name}" for name in made} == {secret["file"] for secret in COMPOSE["secrets"].values()}
        assert f":{made['database_password']}@postgres/" in made["database_url"]
        assert f":{made['broker_password']}@redis:" in made["broker_url"]
        assert len(set(made.values())) == len(made)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


@each_of_ours
def test_commands_use_options_that_the_product_has(name: str) -> None:
    pytest.importorskip("migrator.cli")
    program = "import sys; from migrator.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *SERVICES[name]["command"], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, done.stderr


@each_of_ours
def test_settings_are_settings_that_the_product_has(name: str) -> None:
    pytest.importorskip("migrator.settings")
    known = (ROOT / "migrator" / "settings.py").read_text(encoding="utf-8").upper()
    for variable in SERVICES[name]["environment"]:
        assert variable.removeprefix("POSTWAGEN_").removesuffix("_FILE") in known, variable


@each_dockerfile
def test_images_are_built_from_pinned_images_and_run_without_root(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    stages = {line.split()[3] for line in lines if re.match(r"FROM \S+ AS ", line)}
    parents = {line.split()[1] for line in lines if line.startswith("FROM ")}
    assert all(is_pinned(parent) for parent in parents - stages)
    last_user = [line.split()[1] for line in lines if line.startswith("USER ")][-1]
    assert last_user.split(":")[0] not in ("0", "root")


def test_the_product_image_is_built_from_the_locks() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    installs = [line for line in text.splitlines() if " install " in line and "-r " in line]
    assert installs
    assert all("--require-hashes --only-binary :all:" in line for line in installs)
    assert 'ENTRYPOINT ["postwagen"]' in text
    assert "\nHEALTHCHECK " in text


def is_pinned(image: str) -> bool:
    tag = image.rpartition(":")[2] if ":" in image else ""
    return bool(tag) and tag != "latest"
