"""How figures are written down: ratios, tables, plots, the README."""
