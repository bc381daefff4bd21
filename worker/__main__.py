"""`python -m worker` is `claimcast worker`."""

import sys

from worker.start import main

sys.argv.insert(1, "worker")
main(prog_name="python -m")
