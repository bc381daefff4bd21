"""The client of the rewards API: tokens, products, orders, links."""
