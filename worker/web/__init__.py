"""The web application behind `claimcast serve`: what comes back from the outside."""
