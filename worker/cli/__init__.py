"""The command `claimcast`: results on standard output, everything for people on standard error."""

import click

from worker.cli.console.lazy import CommandGroup, LazyCommand

_COMMANDS = {
    "audit": LazyCommand(
        "watch.audit:audit",
        "Print who did what and when, as JSON Lines.",
    ),
    "bounces": LazyCommand(
        "operate.bounces:bounces",
        "Take one delivery status notification from standard input.",
    ),
    "cancel": LazyCommand(
        "steer.lifecycle:cancel",
        "End a campaign for good: no new order, no new message.",
    ),
    "doctor": LazyCommand(
        "operate.doctor:doctor",
        "Try the configuration and everything it connects to.",
    ),
    "edit": LazyCommand(
        "steer.edit:edit",
        "Give a paused campaign new messages or limits.",
    ),
    "explain": LazyCommand(
        "watch.explain:explain",
        "Say what a code means and what to do.",
    ),
    "forget": LazyCommand(
        "data.forget:forget",
        "Remove all that is personal of one person.",
    ),
    "limits": LazyCommand(
        "steer.limits:limits",
        "Show or change the rate limits, at once for every worker.",
    ),
    "migrate": LazyCommand(
        "operate.migrate:migrate",
        "Bring stored data of an older version up to date.",
    ),
    "pause": LazyCommand(
        "steer.lifecycle:pause",
        "Stop a campaign from starting anything.",
    ),
    "purge": LazyCommand(
        "data.purge:purge",
        "Remove people and links of a campaign that has ended.",
    ),
    "recipient": LazyCommand(
        "watch.recipient:recipient",
        "Show what happened to one person.",
    ),
    "rekey": LazyCommand(
        "operate.rekey:rekey",
        "Re-encrypt everything under the first secret key.",
    ),
    "reorder": LazyCommand(
        "repair.reorder:reorder",
        "End a batch whose order is dead, and order its links again.",
    ),
    "report": LazyCommand(
        "watch.report:report",
        "Write one row per delivery, in the order of the list.",
    ),
    "resend": LazyCommand(
        "repair.resend:resend",
        "Send one person the same link once more.",
    ),
    "resume": LazyCommand(
        "steer.lifecycle:resume",
        "Let a campaign go on after a pause or a block.",
    ),
    "retry": LazyCommand(
        "repair.retry:retry",
        "Try again what only a person can move.",
    ),
    "run": LazyCommand(
        "run.run:run",
        "Submit a campaign and work it here until it is finished.",
    ),
    "sandbox": LazyCommand(
        "operate.sandbox:sandbox",
        "Run a rewards API and a mail sink here, to try it out.",
    ),
    "serve": LazyCommand(
        "operate.serve:serve",
        "Take in webhooks, answers and bounces.",
    ),
    "status": LazyCommand(
        "watch.status:status",
        "Show how far campaigns are and what holds them up.",
    ),
    "submit": LazyCommand(
        "run.submit:submit",
        "Submit a campaign for workers to work.",
    ),
    "suppress": LazyCommand(
        "data.suppress:suppress",
        "Say which addresses nobody may write to.",
    ),
    "test-send": LazyCommand(
        "prepare.test_send:test_send",
        "Send one message with a link that is worth nothing.",
    ),
    "validate": LazyCommand(
        "prepare.validate:validate",
        "Show everything that is wrong with a campaign, and its cost.",
    ),
    "verify": LazyCommand(
        "repair.verify:verify",
        "Recount the invariants of a campaign.",
    ),
    "worker": LazyCommand(
        "run.worker:worker",
        "Work on all submitted campaigns.",
    ),
}


@click.group(
    cls=CommandGroup,
    lazy_subcommands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="claimcast")
def main() -> None:
    """Order reward claim links and send each person one, exactly once."""
