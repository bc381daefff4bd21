"""One person asks again: the same link once more, and to another address only with a word."""

import json

from redis import Redis

from tests.end_to_end.support.world import Mail, World
from worker.valkey.embedded import EmbeddedValkey

OTHER = "corrected@example.com"


def mails_to(world: World, address: str) -> list[Mail]:
    return [mail for mail in world.mails() if mail.to == address]


def log(world: World) -> str:
    return (world.directory / "run.log").read_text("utf-8")


def test_a_person_who_asks_again_gets_the_same_link(world: World) -> None:
    files = world.campaign(10)
    with EmbeddedValkey(world.directory / "state") as server:
        url = server.start_or_join()
        world.run("run", *files, "--yes")
        with Redis.from_url(url) as redis:
            redis.hincrby("cc:1", "t0", -60_000)  # a minute passes
        world.run("resend", "e2e", "r4", "--email", OTHER, code=2)
        assert "to another address too, add --yes" in log(world)

        world.run("resend", "e2e", "r3")
        world.run("resend", "e2e", "r4", "--email", OTHER, "--yes")
        world.run("run", *files, "--yes")

        first, second = mails_to(world, "person-3@example.com")
        assert first.links == second.links
        assert first.message_id != second.message_id
        [elsewhere] = mails_to(world, OTHER)
        assert elsewhere.links == mails_to(world, "person-4@example.com")[0].links
        assert len(world.mails()) == 12
        assert len({link for mail in world.mails() for link in mail.links}) == 10

        document = json.loads(world.run("recipient", "e2e", "r4", "--json"))
        resends = document["earlier"] + document["deliveries"]
        shown = [(each["generation"], each["address"], each["status"]) for each in resends]
        assert shown == [(1, "p…@example.com", "sent"), (2, "c…@example.com", "sent")]
        world.run("verify", "e2e", "--remote")
        assert OTHER not in log(world)
