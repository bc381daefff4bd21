"""The command `claimcast`: results on standard output, everything for people on standard error."""

import click

from worker.cli.audit import audit
from worker.cli.bounces import bounces
from worker.cli.doctor import doctor
from worker.cli.edit import edit
from worker.cli.entry import Entry
from worker.cli.explain import explain
from worker.cli.limits import limits
from worker.cli.reading import recipient, status
from worker.cli.rekey import rekey
from worker.cli.removal import forget, purge
from worker.cli.reorder import reorder
from worker.cli.reporting import report, verify
from worker.cli.resend import resend
from worker.cli.run import run
from worker.cli.sample import sample
from worker.cli.services import sandbox, worker
from worker.cli.serving import serve
from worker.cli.steering import cancel, pause, resume, retry
from worker.cli.submit import submit
from worker.cli.suppress import suppress
from worker.cli.validate import validate


@click.group(cls=Entry, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="claimcast")
def main() -> None:
    """Order reward claim links and send each person one, exactly once."""


main.add_command(validate)
main.add_command(run)
main.add_command(submit)
main.add_command(worker)
main.add_command(sandbox)
main.add_command(status)
main.add_command(recipient)
main.add_command(report)
main.add_command(verify)
main.add_command(pause)
main.add_command(resume)
main.add_command(cancel)
main.add_command(retry)
main.add_command(reorder)
main.add_command(resend)
main.add_command(limits)
main.add_command(doctor)
main.add_command(explain)
main.add_command(serve)
main.add_command(bounces)
main.add_command(suppress)
main.add_command(audit)
main.add_command(rekey)
main.add_command(purge)
main.add_command(forget)
main.add_command(edit)
main.add_command(sample)
