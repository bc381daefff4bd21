"""One file per command, in a folder per group of `claimcast --help`."""
