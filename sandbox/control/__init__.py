"""The control endpoint: faults are switched, and what happened is looked at."""
