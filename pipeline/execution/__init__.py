"""Who works on which batch: units of dispatch and their leases."""
