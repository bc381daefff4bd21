"""Values, rules, errors and ports: what every other room builds on; no I/O."""
