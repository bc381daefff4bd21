"""Before a campaign: whether it is right, and how it looks."""
