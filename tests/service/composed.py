"""docker-compose.yml as plain processes: the same commands, settings, secrets and health checks, other addresses."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from migrator.demo.premises import free_ports
from tests.service.product import Process, Product
from tests.worker.crew import until

ROOT: Final = Path(__file__).parents[2]
SERVICES: Final[Mapping[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
_DATA: Final = "/var/lib/postwagen"
_SECRETS: Final = "/run/secrets"


class Composed(Product):
    """The services of the file. `postgres` is given; redis is started by the file's own command."""

    def __init__(self, directory: Path, postgres_url: str) -> None:
        super().__init__(directory, {})
        self.secrets = self._make_secrets()
        self.redis_port = free_ports(1)[0]
        self.secret("database_url").write_text(postgres_url)
        password = self.secret("broker_password").read_text()
        self.secret("broker_url").write_text(f"redis://:{password}@127.0.0.1:{self.redis_port}/0")
        settings = {name: self._here(value) for name, value in SERVICES["worker"]["environment"].items()}
        self.settings = {name.removeprefix("POSTWAGEN_"): value for name, value in settings.items()}
        self.settings["ALLOWED_NETWORKS"] = "127.0.0.0/8"  # as the lab of the file has its own network

    def _make_secrets(self) -> Path:
        """What the script makes that the file's first line names."""
        script = self.directory / "docker" / "make-secrets.sh"
        script.parent.mkdir()
        script.write_bytes((ROOT / "docker" / "make-secrets.sh").read_bytes())
        subprocess.run(["sh", script], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        for file in (self.directory / "secrets").iterdir():
            file.chmod(0o600)  # written anew below, with addresses of this machine
        return self.directory / "secrets"

    def secret(self, name: str) -> Path:
        """The file behind /run/secrets/NAME."""
        return self.secrets / name

    def _here(self, text: str) -> str:
        """A text of the file with Compose's own variables at their defaults, and paths of this machine."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")
        return text.replace(_SECRETS, str(self.secrets)).replace(_DATA, str(self.data))

    # ---- parts -----------------------------------------------------------------------------------------------------

    def redis(self) -> Process:
        """The queue, with the file's configuration and its password."""
        *shell, text = SERVICES["redis"]["command"]
        here = self._here(text).replace(
            "maxmemory 256mb", f"maxmemory 256mb\nbind 127.0.0.1\nport {self.redis_port}\ndir {self.directory}"
        )
        process = Process((*shell, here), self.environment(), self.logs / "redis.log")
        self.processes.append(process)
        until(lambda: self.healthy("redis"))
        return process

    def service(self, name: str) -> Process:
        """Web, worker or beat as the file starts it."""
        words = list(SERVICES[name]["command"])
        if "--host" in words:
            words[words.index("--host") + 1] = "127.0.0.1"
            words += ["--port", str(self.port)]
        return self.start(*words)

    def migrate(self) -> subprocess.CompletedProcess[str]:
        """The service that is done when its command has ended."""
        return self.run(*SERVICES["migrate"]["command"])

    # ---- health ----------------------------------------------------------------------------------------------------

    def check(self, name: str) -> list[str]:
        """The health check's own words, with addresses of this machine."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        words = [self._here(word) for word in words]
        if name == "web":
            words = [word.replace(":8025/", f":{self.port}/") for word in words]
        if name == "redis":
            words = [word.replace("redis-cli", f"redis-cli -p {self.redis_port}") for word in words]
        return ["sh", "-c", words[0]] if kind == "CMD-SHELL" else words

    def healthy(self, name: str, words: list[str] | None = None) -> bool:
        """Whether the check ends with 0 within the time that it is given."""
        seconds = int(SERVICES[name]["healthcheck"]["timeout"].removesuffix("s"))
        try:
            ran = subprocess.run(
                words or self.check(name), env=self.environment(), cwd=self.directory, capture_output=True,
                stdin=subprocess.DEVNULL, timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return ran.returncode == 0

    def shown(self, name: str) -> str:
        """A health check for people."""
        return shlex.join(self.check(name))
