"""A worker at work on a batch: the stage that its lane needs, under a lease."""
