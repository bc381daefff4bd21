"""Renews what is generated in the documents, and says what has changed: `make docs`."""

import sys

from tests.docs.generated import renew

for each in renew():
    sys.stdout.write(f"{each.path}: {each.name}\n")
