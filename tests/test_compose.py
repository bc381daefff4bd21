"""The files for containers, as far as they can be tried without any."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import AuthenticationError, Redis, RedisError

from config.errors import ConfigError
from config.settings import Settings, load_settings
from config.variables import variables
from tests.support.redis import Redis as AsyncRedis
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync
from worker.valkey.server import find_binary
from worker.wiring.redis import check_server, connect

COMPOSE, DOCKERFILE, IGNORED, ENV = (
    (ROOT / name).read_text("utf-8")
    for name in ("docker-compose.yml", "Dockerfile", ".dockerignore", ".env.example")
)
SERVICES = COMPOSE.partition("\nvolumes:")[0]
PASSWORD = "0123456789abcdef"


def service(name: str) -> str:
    """Return what docker-compose.yml says about one service."""
    (found,) = re.findall(rf"^  {name}:\n((?:(?:    .*)?\n)*)", SERVICES, re.MULTILINE)
    return str(found)


def server_script() -> str:
    """Return the shell script that starts Valkey, as the container's shell gets it."""
    (found,) = re.findall(r"^      - \|\n((?:        .*\n)*)", service("valkey"), re.MULTILINE)
    lines = [line.removeprefix("        ") for line in str(found).splitlines()]
    return "\n".join(lines).replace("$$", "$") + "\n"


def health_check() -> list[str]:
    """Return the command of the image's health check, with the Python of these tests."""
    (found,) = re.findall(r"^    CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    command: list[str] = json.loads(found)
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def server_port(tmp_path: Path) -> Iterator[int]:
    """The port of a server that was started by the script of docker-compose.yml."""
    port = free_port()
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "valkey-server").symlink_to(find_binary())
    script = server_script().replace("--appendonly", f"--port {port} --appendonly")
    process = subprocess.Popen(
        [shutil.which("sh") or "sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{folder}:{os.defpath}", "VALKEY_PASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_sync(lambda: answers(port))
        arguments = Path(f"/proc/{process.pid}/cmdline")
        assert not arguments.exists() or PASSWORD not in arguments.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=120)


def answers(port: int) -> bool:
    with Redis(port=port, password=PASSWORD) as redis:
        try:
            return bool(redis.ping())
        except RedisError:
            return False


async def test_the_server_is_one_that_workers_accept(server_port: int) -> None:
    url = f"redis://:{PASSWORD}@127.0.0.1:{server_port}/0"
    redis = connect(url, patient=False)
    try:
        assert await check_server(redis, accept_unsafe=False) == []
    finally:
        await redis.aclose(close_connection_pool=True)


def test_the_server_wants_the_password(server_port: int) -> None:
    with Redis(port=server_port) as redis, pytest.raises(AuthenticationError):
        redis.ping()


@pytest.mark.parametrize("text", [COMPOSE, DOCKERFILE, ENV])
def test_every_variable_that_is_named_is_a_setting(text: str) -> None:
    known = {variable.name for variable in variables(Settings)}
    named = set(re.findall(r"CLAIMCAST_[A-Z_]*[A-Z]", text))
    assert named
    assert named <= known


def test_whatever_compose_demands_is_asked_for_in_the_example() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    optional = ("CLAIMCAST_TWILIO__", "CLAIMCAST_WEBHOOK__")  # channels that not everybody has
    required = {
        v.name for v in variables(Settings) if v.required and not v.name.startswith(optional)
    }
    assert demanded > required
    assert demanded <= set(re.findall(r"^(\w+)=$", ENV, re.MULTILINE))


def test_the_example_only_lacks_what_nobody_else_can_know(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(ROOT / ".env.example")
    missing = str(caught.value).splitlines()
    assert missing
    assert all(line.endswith("is not set, but others of its group are") for line in missing)

    filled = tmp_path / ".env"
    values = {
        "CLAIMCAST_SMTP__HOST": "mail.example.com",
        "CLAIMCAST_SMTP__SENDER": "Rewards <rewards@example.com>",
    }
    filled.write_text(
        re.sub(
            r"^(\w+)=$",
            lambda line: f"{line[1]}={values.get(line[1], '')}",
            ENV,
            flags=re.MULTILINE,
        ),
        "utf-8",
    )
    assert load_settings(filled).smtp is not None


def test_everything_that_is_commented_out_in_the_example_can_be_used(tmp_path: Path) -> None:
    offered = re.findall(r"^#(\w+=.*)$", ENV, re.MULTILINE)
    assert len(offered) > 5
    rewards = ["BASE_URL=https://api.example.com", "EMAIL=a@example.com", "ACCESS_TOKEN=x"]
    smtp = ["HOST=mail.example.com", "SENDER=a@example.com"]
    lines = [
        *offered,
        *(f"CLAIMCAST_REWARDS__{line}" for line in rewards),
        *(f"CLAIMCAST_SMTP__{line}" for line in smtp),
    ]
    (tmp_path / ".env").write_text("\n".join(lines), "utf-8")
    load_settings(tmp_path / ".env")


def test_workers_can_be_scaled() -> None:
    worker = service("worker")
    assert "container_name:" not in worker
    assert "ports:" not in worker


def test_the_image_holds_every_package_and_no_settings() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = set(re.findall(r"^COPY (\w+)/ \1/$", DOCKERFILE, re.MULTILINE))
    allowed = set(re.findall(r"^!(\S+)$", IGNORED, re.MULTILINE))
    assert copied == set(packages)
    assert allowed == copied | {"requirements", "pyproject.toml", "README.md"}
    assert IGNORED.splitlines()[1] == "*"


async def test_a_worker_is_healthy_while_its_heart_beats(
    redis: AsyncRedis, valkey_url: str
) -> None:
    def healthy() -> bool:
        done = subprocess.run(
            health_check(),
            env={"CLAIMCAST_REDIS__URL": valkey_url},
            capture_output=True,
            timeout=120,
            check=False,
        )
        return done.returncode == 0

    now, _ = await redis.time()
    beats = now + 600  # a beat that is still fresh, however long the check takes
    await redis.zadd("cc:workers", {"another-host-1-abc": beats})
    assert not healthy()
    await redis.zadd("cc:workers", {f"{socket.gethostname()}-1-abc": now - 60})
    assert not healthy()
    await redis.zadd("cc:workers", {f"{socket.gethostname()}-1-abc": beats})
    assert healthy()
