"""The composition root: where settings meet what orders, sends and stores."""
