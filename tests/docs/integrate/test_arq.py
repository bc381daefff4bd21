"""The program for other systems works as it stands in the documents, with nothing but arq."""

import ast
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.docs.documents import document, documents
from tests.end_to_end.support.world import judge, open_world
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 30
PAGE = document("docs/integrate/arq.md")
CAMPAIGN, JOB, RESULT = (json.loads(text) for text in PAGE.code("json"))
FAULTY = {"id": "r-1", "email": "nobody", "name": "Li"}
PROGRAMS = sorted(
    {text for page in documents() for text in page.code("python") if "enqueue_job" in text}
)


def test_all_pages_show_the_same_program() -> None:
    assert len(PROGRAMS) == 1


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda _: "program")
def test_it_imports_nothing_but_arq(program: str) -> None:
    names = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    assert names - sys.stdlib_module_names == {"arq"}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda _: "program")
def test_it_reaches_everybody(program: str, tmp_path: Path) -> None:
    campaign = {
        "id": "upstream",
        "name": "From upstream",
        "reward": {"product_id": "CVS", "value": "10.00"},
        "delivery": {"channels": ["email"]},
        "email": {"subject": "Reward", "text": "Hello {{ name }}: {{ link }}"},
        "recipients": [
            {"id": f"r{n}", "email": f"person-{n}@example.com", "name": f"Zoë {n}"}
            for n in range(PEOPLE)
        ],
    }
    with open_world(tmp_path) as here, EmbeddedValkey(tmp_path / "state") as server:
        url = server.start_or_join()
        worker = here.start("worker", log="worker.log")
        try:
            done = subprocess.run(
                [sys.executable, "-c", program, url],
                input=json.dumps(campaign),
                capture_output=True,
                text=True,
                timeout=120,
                check=True,
            )
            assert ast.literal_eval(done.stdout)["campaign"] == "upstream"
            wait_until_sync(lambda: len(here.mails()) >= PEOPLE)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=120)
        judge(here, PEOPLE)


def test_a_job_that_was_put_there_by_hand_is_answered_as_the_page_says(tmp_path: Path) -> None:
    with open_world(tmp_path) as here, EmbeddedValkey(tmp_path / "state") as server:
        url = server.start_or_join()
        worker = here.start("worker", log="worker.log")
        try:
            with Redis.from_url(url) as redis:
                taken = _answer(redis, "one", CAMPAIGN)
                refused = [
                    _answer(redis, "two", CAMPAIGN | {"name": "Another"}),
                    _answer(redis, "three", CAMPAIGN | {"id": "x", "recipients": [FAULTY]}),
                ]
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=120)
    assert taken.keys() == RESULT.keys()
    assert taken["r"].keys() == RESULT["r"].keys()
    changing = {"r", "et", "st", "ft", "id"}
    assert {key: taken[key] for key in RESULT.keys() - changing} == {
        key: RESULT[key] for key in RESULT.keys() - changing
    }
    [shown] = PAGE.code("text")
    assert shown.splitlines()[1:] == [json.dumps(each["r"]) for each in refused]


def _answer(redis: Redis, job: str, campaign: dict[str, Any]) -> dict[str, Any]:
    """Queue a job as the page says, and return what it came to."""
    now = int(time.time() * 1000)
    redis.set(f"arq:job:{job}", json.dumps(JOB | {"a": [campaign], "et": now}), px=86_400_000)
    redis.zadd("claimcast", {job: now})
    wait_until_sync(lambda: redis.exists(f"arq:result:{job}") == 1)
    found: dict[str, Any] = json.loads(redis.get(f"arq:result:{job}"))  # type: ignore[arg-type]
    return found
