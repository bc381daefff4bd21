"""`python -m worker.cli` is `claimcast`."""

from worker.cli import main

main(prog_name="claimcast")
