"""How figures are written down: ratios, tables, plots, their page."""
