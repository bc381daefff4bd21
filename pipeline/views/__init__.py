"""What people read: status, report, timeline, and the batch at rest behind them."""
