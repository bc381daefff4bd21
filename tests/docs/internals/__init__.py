"""What the pages about the inside say: invariants, RFCs, defects, figures, faults."""
