"""What people change of stored batches and campaigns: end an order, erase, purge, seal anew."""
