"""What the pages for whoever integrates claimcast say is so."""
