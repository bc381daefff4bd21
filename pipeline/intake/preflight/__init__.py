"""What is looked at before a campaign is taken in, and what it comes to."""
