"""What the pages for operators show: log events, alerts, and the figures of the last full run."""
