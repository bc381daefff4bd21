"""The command `claimcast`: results on standard output, everything for people on standard error."""

import click

from worker.cli.console.lazy import CommandGroup, CommandSection, LazyCommand

_SECTIONS = (
    CommandSection(
        "Prepare a campaign",
        {
            "validate": LazyCommand(
                "prepare.validate:validate",
                "Check a campaign and its list: all that is wrong, and the cost.",
            ),
            "test-send": LazyCommand(
                "prepare.test_send:test_send",
                "Send one test message, with a link that is worth nothing.",
            ),
        },
    ),
    CommandSection(
        "Run campaigns",
        {
            "run": LazyCommand(
                "run.run:run",
                "Submit a campaign and work it here until it is finished.",
            ),
            "submit": LazyCommand(
                "run.submit:submit",
                "Submit a campaign for the workers, to start now or later.",
            ),
            "worker": LazyCommand(
                "run.worker:worker",
                "Start a worker: it works on all submitted campaigns.",
            ),
        },
    ),
    CommandSection(
        "Watch campaigns",
        {
            "status": LazyCommand(
                "watch.status:status",
                "Show progress, and what holds it up, of one campaign or all.",
            ),
            "recipient": LazyCommand(
                "watch.recipient:recipient",
                "Show what happened to one person: order, messages, bounces.",
            ),
            "report": LazyCommand(
                "watch.report:report",
                "Export one row per delivery, as CSV or JSON.",
            ),
            "audit": LazyCommand(
                "watch.audit:audit",
                "Print the audit log: who did what and when, as JSON Lines.",
            ),
            "explain": LazyCommand(
                "watch.explain:explain",
                "Explain a code: what it means and what to do.",
            ),
        },
    ),
    CommandSection(
        "Steer a campaign",
        {
            "pause": LazyCommand(
                "steer.lifecycle:pause",
                "Pause a campaign: nothing new is started.",
            ),
            "resume": LazyCommand(
                "steer.lifecycle:resume",
                "Resume a campaign after a pause or a block.",
            ),
            "cancel": LazyCommand(
                "steer.lifecycle:cancel",
                "Cancel a campaign for good: no new order, no new message.",
            ),
            "edit": LazyCommand(
                "steer.edit:edit",
                "Change the messages or limits of a paused campaign.",
            ),
            "limits": LazyCommand(
                "steer.limits:limits",
                "Show or change the rate limits, at once for every worker.",
            ),
        },
    ),
    CommandSection(
        "Repair what went wrong",
        {
            "retry": LazyCommand(
                "repair.retry:retry",
                "Retry failed or uncertain deliveries, and held batches.",
            ),
            "resend": LazyCommand(
                "repair.resend:resend",
                "Send one person the same link again, also elsewhere.",
            ),
            "reorder": LazyCommand(
                "repair.reorder:reorder",
                "Replace a dead order: end its batch, order its links again.",
            ),
            "verify": LazyCommand(
                "repair.verify:verify",
                "Verify the stored data: recount a campaign's invariants.",
            ),
        },
    ),
    CommandSection(
        "Look after people's data",
        {
            "suppress": LazyCommand(
                "data.suppress:suppress",
                "Suppression list (do-not-contact): add, remove, list, import.",
            ),
            "forget": LazyCommand(
                "data.forget:forget",
                "Erase one person's data (GDPR request).",
            ),
            "purge": LazyCommand(
                "data.purge:purge",
                "Delete people and links of a campaign that has ended.",
            ),
        },
    ),
    CommandSection(
        "Operate the installation",
        {
            "doctor": LazyCommand(
                "operate.doctor:doctor",
                "Test settings, Redis, keys, rewards API, channels and alerts.",
            ),
            "serve": LazyCommand(
                "operate.serve:serve",
                "Serve HTTP: webhooks, receipts, bounces, opt-outs, metrics.",
            ),
            "bounces": LazyCommand(
                "operate.bounces:bounces",
                "Take one bounce (delivery status notification) from stdin.",
            ),
            "rekey": LazyCommand(
                "operate.rekey:rekey",
                "Rotate the encryption keys: re-encrypt everything stored.",
            ),
            "migrate": LazyCommand(
                "operate.migrate:migrate",
                "Upgrade stored data of an older version.",
            ),
            "sandbox": LazyCommand(
                "operate.sandbox:sandbox",
                "Run a rewards API and sinks for mail and SMS, to try it out.",
            ),
        },
    ),
)


@click.group(
    cls=CommandGroup,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="claimcast")
def main() -> None:
    """Order reward claim links and send each person one, exactly once."""
