"""The command `claimcast`: results on standard output, everything for people on standard error."""

import click

from worker.cli.console.lazy import Entry, Later

_COMMANDS = {
    "audit": Later(
        "watch.audit:audit",
        "Print who did what and when, as JSON Lines.",
    ),
    "bounces": Later(
        "operate.bounces:bounces",
        "Take one delivery status notification from standard input.",
    ),
    "cancel": Later(
        "steer.lifecycle:cancel",
        "End a campaign for good: no new order, no new message.",
    ),
    "doctor": Later(
        "operate.doctor:doctor",
        "Try the configuration and everything it connects to.",
    ),
    "edit": Later(
        "steer.edit:edit",
        "Give a paused campaign new messages or limits.",
    ),
    "explain": Later(
        "watch.explain:explain",
        "Say what a code means and what to do.",
    ),
    "forget": Later(
        "data.forget:forget",
        "Remove all that is personal of one person.",
    ),
    "limits": Later(
        "steer.limits:limits",
        "Show or change the rate limits, at once for every worker.",
    ),
    "pause": Later(
        "steer.lifecycle:pause",
        "Stop a campaign from starting anything.",
    ),
    "purge": Later(
        "data.purge:purge",
        "Remove people and links of a campaign that has ended.",
    ),
    "recipient": Later(
        "watch.recipient:recipient",
        "Show what happened to one person.",
    ),
    "rekey": Later(
        "operate.rekey:rekey",
        "Re-encrypt everything under the first secret key.",
    ),
    "reorder": Later(
        "repair.reorder:reorder",
        "End a batch whose order is dead, and order its links again.",
    ),
    "report": Later(
        "watch.report:report",
        "Write one row per delivery, in the order of the list.",
    ),
    "resend": Later(
        "repair.resend:resend",
        "Send one person the same link once more.",
    ),
    "resume": Later(
        "steer.lifecycle:resume",
        "Let a campaign go on after a pause or a block.",
    ),
    "retry": Later(
        "repair.retry:retry",
        "Try again what only a person can move.",
    ),
    "run": Later(
        "run.run:run",
        "Submit a campaign and work it here until it is finished.",
    ),
    "sandbox": Later(
        "operate.sandbox:sandbox",
        "Run a rewards API and a mail sink here, to try it out.",
    ),
    "serve": Later(
        "operate.serve:serve",
        "Take in webhooks, answers and bounces.",
    ),
    "status": Later(
        "watch.status:status",
        "Show how far campaigns are and what holds them up.",
    ),
    "submit": Later(
        "run.submit:submit",
        "Submit a campaign for workers to work.",
    ),
    "suppress": Later(
        "data.suppress:suppress",
        "Say which addresses nobody may write to.",
    ),
    "test-send": Later(
        "prepare.test_send:test_send",
        "Send one message with a link that is worth nothing.",
    ),
    "validate": Later(
        "prepare.validate:validate",
        "Show everything that is wrong with a campaign, and its cost.",
    ),
    "verify": Later(
        "repair.verify:verify",
        "Recount the invariants of a campaign.",
    ),
    "worker": Later(
        "run.worker:worker",
        "Work on all submitted campaigns.",
    ),
}


@click.group(cls=Entry, later=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="claimcast")
def main() -> None:
    """Order reward claim links and send each person one, exactly once."""
