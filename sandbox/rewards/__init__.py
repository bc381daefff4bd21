"""The rewards API: an account, its products and orders, and how it tells of them."""
