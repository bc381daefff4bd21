"""
`python -m tests.pipeline.store.differential --old COMMIT`: old Lua scripts against new ones.

Both are given the same random calls, on data of their own, with the same time and the same luck:
campaigns staged, worked by workers that die, steered, resent, purged, with stale tokens, wrong
lanes and repeated calls among them. Replies, commands and data must be the same. A difference is
shown with its call, and found again by its seed. With `--time` it is measured how long each verb
takes the server.
"""

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

from redis import Redis

from tests.pipeline.store.differential.moves import Move, moves
from tests.pipeline.store.differential.pair import Arg, DifferenceError, Failed, Pair
from tests.pipeline.store.differential.programs import Scripts, scripts_of
from tests.pipeline.store.differential.timing import measured
from tests.pipeline.store.differential.world import World
from tests.support.root import ROOT
from worker.valkey.embedded import EmbeddedValkey

_WORLD = 600
"""Calls until all is emptied: later, nearly everything has ended."""
_AT_ONCE = 4
_LOOK = 20
_OF_TOKENS = "token_"
"""What the verbs begin with that no move calls; an older program has them elsewhere."""
_RENAMED = {"hush": "cooldown", "forget": "erase_recipient"}
"""Verbs that an older program has under another name."""
_JUMPS_US = (0, 0, 0, 137, 1_003, 20_011, 900_000, 30_000_000, 3_600_000_000)

Replies = dict[str, Counter[str]]


def main() -> int:
    """Return 0 if the two did the same, 1 if not."""
    arguments = _arguments()
    old, new = (_compared_verbs(scripts_of(each)) for each in (arguments.old, arguments.new))
    if old.keys() != new.keys():
        sys.exit(f"not the same verbs: {sorted(old.keys() ^ new.keys())}")
    with tempfile.TemporaryDirectory() as folder, EmbeddedValkey(Path(folder)) as server:
        url = server.start_or_join()
        with Redis.from_url(url) as redis:
            redis.config_set("appendfsync", "no")
            redis.config_set("save", "")
        if arguments.time:
            for line in measured(url, old, new):
                say(line)
            return 0
        return _compared(url, old, new, arguments)


def _compared_verbs(scripts: Scripts) -> Scripts:
    return {
        _RENAMED.get(verb, verb): text
        for verb, text in scripts.items()
        if not verb.startswith(_OF_TOKENS)
    }


def _compared(url: str, old: Scripts, new: Scripts, arguments: argparse.Namespace) -> int:
    pair = Pair(url, old, new)
    replies: Replies = defaultdict(Counter)
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        try:
            _play(pair, Random(seed), arguments.steps, replies)  # noqa: S311 - repeatable, not secret
        except DifferenceError as difference:
            say(f"seed {seed}: {difference}")
            return 1
        say(f"seed {seed}: no difference in {arguments.steps} calls")
    say(_table(replies, sorted(new)))
    return 0


def _play(pair: Pair, random: Random, steps: int, replies: Replies) -> None:
    for done in range(0, steps, _WORLD):
        pair.clear()
        _play_world(pair, World(random, pair.old.redis), min(_WORLD, steps - done), replies)


def _play_world(pair: Pair, world: World, steps: int, replies: Replies) -> None:
    """Let several people act at once, each in a move, until *steps* calls were made."""
    new, running = moves(world), dict[Move, object]()
    made = 0
    while made < steps:
        while len(running) < _AT_ONCE:
            running[next(new)] = None
        move = world.random.choice(list(running))
        try:
            verb, *args = move.send(running[move])
        except StopIteration:
            del running[move]
            continue
        running[move] = reply = _called(pair, world, str(verb), tuple(args), replies)
        if isinstance(reply, Failed):
            del running[move]
        made += 1
        if made % _LOOK == 0:
            pair.compare()
    pair.compare()


def _called(
    pair: Pair, world: World, verb: str, args: tuple[Arg, ...], replies: Replies
) -> object:
    if verb == "!":
        pair.both(*args)
        return None
    jump = world.random.choice(_JUMPS_US) if world.chance(0.3) else 0
    world.now_us += jump
    pair.lapse(world.now_us)
    if world.chance(0.05):
        spoilt = world.spoilt(args)
        replies[verb][_kind(pair.run(verb, spoilt, world.now_us))] += 1
    reply = pair.run(verb, args, world.now_us)
    replies[verb][_kind(reply)] += 1
    if world.chance(0.05):
        replies[verb][_kind(pair.run(verb, args, world.now_us))] += 1
    return reply


def _kind(reply: object) -> str:
    """Return what a reply says, without its particulars."""
    match reply:
        case Failed():
            return "error"
        case None | [] | b"":
            return "nothing"
        case [bytes() as word, *_] if word.isalpha():
            return word.decode()
        case [first, *_]:
            return f"[{_kind(first)}]"
        case bytes() as word:
            return word.decode("latin-1").split()[0] if word.split()[0].isalpha() else "text"
        case int() as number:
            return str(number) if -1 <= number <= 1 else "n"
        case _:
            return type(reply).__name__


def _table(replies: Replies, verbs: list[str]) -> str:
    lines = [f"{sum(map(Counter.total, replies.values()))} calls"]
    for verb in verbs:
        kinds = ", ".join(f"{kind} {number}" for kind, number in replies[verb].most_common())
        lines.append(f"{verb:16} {replies[verb].total():6}  {kinds}")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.pipeline.store.differential", description=__doc__
    )
    add = parser.add_argument
    add("--old", required=True, help="a commit, or a directory with a program")
    add("--new", default=str(ROOT), help="as --old; default: this program")
    add("--seed", type=int, default=0, help="the first one; default: %(default)s")
    add("--seeds", type=int, default=5, help="how many; default: %(default)s")
    add("--steps", type=int, default=10_000, help="calls per seed; default: %(default)s")
    add("--time", action="store_true", help="measure each verb on the server instead")
    return parser.parse_args()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
