"""What the fleet and the whole installation keep in Redis: workers, alerts, figures, server."""
