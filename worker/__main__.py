"""`python -m worker` is `claimcast worker`."""

from worker.cli.services import worker

worker(prog_name="python -m worker")
