"""
What happens to every batch, in this order; each step may be repeated after any crash.

1. authenticate       `rewards.tokens`, one token for the whole fleet, whenever a call needs it
2. order              `order`, one order of claim links under one PO number
3. await fulfilment   `await_fulfilment`, until the order holds exactly its links
4. distribute         `distribute`, one message per person, through `sending`
"""
