"""What is measured, a file per measure, and the programs it is compared with."""
