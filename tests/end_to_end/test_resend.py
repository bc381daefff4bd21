"""One person asks again: the same link once more, and to another address only with a word."""

import json

from redis import Redis

from tests.end_to_end.support.world import Mail, World
from worker.valkey.embedded import EmbeddedValkey

OTHER = "corrected@example.com"


def mails_to(here: World, address: str) -> list[Mail]:
    return [mail for mail in here.mails() if mail.to == address]


def log(here: World) -> str:
    return (here.directory / "run.log").read_text("utf-8")


def test_a_person_who_asks_again_gets_the_same_link(here: World) -> None:
    files = here.campaign(10)
    with EmbeddedValkey(here.directory / "state") as server:
        url = server.start_or_join()
        here.run("run", *files, "--yes")
        with Redis.from_url(url) as redis:
            redis.hincrby("cc:1", "t0", -60_000)  # a minute passes
        here.run("resend", "e2e", "r4", "--email", OTHER, code=2)
        assert "to another address too, add --yes" in log(here)

        here.run("resend", "e2e", "r3")
        here.run("resend", "e2e", "r4", "--email", OTHER, "--yes")
        here.run("run", *files, "--yes")

        first, second = mails_to(here, "person-3@example.com")
        assert first.links == second.links
        assert first.message_id != second.message_id
        [elsewhere] = mails_to(here, OTHER)
        assert elsewhere.links == mails_to(here, "person-4@example.com")[0].links
        assert len(here.mails()) == 12
        assert len({link for mail in here.mails() for link in mail.links}) == 10

        document = json.loads(here.run("recipient", "e2e", "r4", "--json"))
        resends = document["earlier"] + document["deliveries"]
        shown = [(each["generation"], each["address"], each["status"]) for each in resends]
        assert shown == [(1, "p…@example.com", "sent"), (2, "c…@example.com", "sent")]
        here.run("verify", "e2e", "--remote")
        assert OTHER not in log(here)
