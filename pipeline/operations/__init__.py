"""What people change in flight: edit, resend, replace an order, erase, purge, rotate keys."""
