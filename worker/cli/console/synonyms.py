"""What people type instead of a command that there is, and what they may mean by it."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import click

Synonyms = Mapping[str, Sequence[str]]


def synonyms(meant: Mapping[tuple[str, ...], str]) -> Synonyms:
    """Return the proposals by word; *meant* has the words by what is proposed for them."""
    return {word: proposed for proposed, words in meant.items() for word in words.split()}


COMMANDS = synonyms(
    {
        ("validate",): "lint preview dry-run",
        ("validate", "doctor"): "check",
        ("test-send", "doctor"): "test try",
        ("run", "test-send"): "send deliver",
        ("submit",): "queue enqueue schedule create new upload import",
        ("worker",): "workers work consume consumer daemon",
        ("status",): "show info list ls ps progress state campaigns watch top",
        ("recipient",): "person user customer find search lookup timeline",
        ("audit", "recipient"): "log logs history trail events",
        ("report",): "export csv download results deliveries",
        ("explain",): "code codes error errors why reason",
        ("pause",): "suspend halt hold freeze",
        ("pause", "cancel"): "stop",
        ("resume",): "continue unpause unblock go",
        ("run", "resume", "worker"): "start",
        ("cancel",): "abort kill end terminate",
        ("cancel", "purge", "forget"): "delete remove rm del",
        ("edit",): "change modify set",
        ("edit", "migrate"): "update",
        ("limits",): "limit rate rates throttle ratelimit rate-limit speed",
        ("retry",): "redo rerun repeat again requeue replay unhold",
        ("reorder",): "order replace",
        ("verify",): "recount fsck integrity consistency",
        ("suppress",): "unsubscribe blacklist blocklist denylist block ban optout opt-out dnc",
        ("forget",): "erase gdpr anonymize anonymise redact",
        ("purge",): "clean cleanup clear prune",
        ("doctor",): "diagnose health healthcheck ping config configuration settings env",
        ("sandbox",): "demo fake mock simulate",
        ("serve",): "server web http api webhook webhooks metrics",
        ("bounces",): "dsn",
        ("rekey",): "key keys rotate encrypt re-encrypt",
        ("migrate",): "upgrade migration migrations",
        ("--help",): "help commands",
        ("--version",): "version",
    }
)


class HelpfulGroup(click.Group):
    """A group that answers a command it does not have with what may have been meant."""

    def __init__(self, *, synonyms: Synonyms, **kwargs: Any) -> None:  # noqa: ANN401 - click
        super().__init__(**kwargs)
        self.synonyms = synonyms

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            name = error.command_name
            proposed = proposals(name, self.list_commands(ctx), self.synonyms)
            raise click.UsageError(_sentence(name, proposed), ctx) from None


def proposals(word: str, names: Iterable[str], words: Synonyms) -> Sequence[str]:
    """Return what *word* may stand for: by its meaning, or else by its spelling; maybe nothing."""
    plain = word.lower().replace("_", "-")
    return words.get(plain) or get_close_matches(plain, names, cutoff=0.7)


def _sentence(name: str, proposed: Sequence[str]) -> str:
    if not proposed:
        return f"No such command {name!r}."
    *others, last = map(repr, proposed)
    either = f"{', '.join(others)} or {last}" if others else last
    return f"No such command {name!r}: did you mean {either}?"
