-- The API has our order: planned becomes ordered, and ordering is not blocked any more. The worker keeps
-- the lease, now to read the order.
--
-- ARGV      serial, batch, token, order id
--
-- Returns 1, or 0 if the token is stale.

-- @include batch_key, campaign_key, counters, digits, due_key, owns_lease, move_batch, now_ms, batch_size
-- @include unblock

local serial, number, token = ARGV[1], ARGV[2], ARGV[3]
local batch = batch_key(serial, number)
if not owns_lease(batch, token) then
  return 0
end
local deltas = {}
if redis.call('HSETNX', batch, 'oid', ARGV[4]) == 1 then
  local size = batch_size(batch)
  count(deltas, 'l:ordered', size)
  count(deltas, 'l:awaited', size)
end
redis.call('HDEL', batch, 'post', 'adopt', 'polls', 'polls:at', 'odd', 'odd:at', 'fails', 'fails:at')
redis.call('HSETNX', batch, 'tp', digits(now_ms()))
move_batch(serial, number, 'ordered', deltas)
save_counts(campaign_key(serial), deltas)
local due = redis.call('ZSCORE', due_key(serial, 'o'), number) or digits(now_ms())
redis.call('ZREM', due_key(serial, 'o'), number)
redis.call('ZADD', due_key(serial, 'r'), due, number)
unblock(campaign_key(serial), 'o')
return 1
