"""How far a campaign is, while it is worked and at rest."""
