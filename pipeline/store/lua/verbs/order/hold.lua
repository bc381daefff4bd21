-- Stop a batch with a reason, until an operator or (overdue orders) the API moves it on.
--
-- ARGV      serial, batch, token, reason, sealed evidence ('' for none), links missing (the order
--           is dead or short: awaited becomes missing), ms until the order is read again (0: never)
--
-- Returns 1, or 0 if the token is stale.

-- @include batch_key, campaign_facts, campaign_key, counters, digits, evidence_key, owns_lease
-- @include move_batch, now_ms, release

local serial, number, token = ARGV[1], ARGV[2], ARGV[3]
local batch = batch_key(serial, number)
if not owns_lease(batch, token) then
  return 0
end
local read_interval_ms = tonumber(ARGV[7])
if read_interval_ms == 0 and campaign_facts(serial).cancelled then
  -- No worker looks at a held batch of a cancelled campaign: let workers bring it to its end instead.
  local known = redis.call('HMGET', batch, 'tf', 'oid')
  release(serial, number, known[1] and 's' or known[2] and 'r' or 'o', 0)
  return 1
end
local deltas = {}
if ARGV[5] ~= '' then
  redis.call('SET', evidence_key(serial, number), ARGV[5])
end
local missing, known = tonumber(ARGV[6]), tonumber(redis.call('HGET', batch, 'missing') or 0)
if missing ~= known then
  redis.call('HSET', batch, 'missing', missing)
  count(deltas, 'l:missing', missing - known)
  count(deltas, 'l:awaited', known - missing)
end
move_batch(serial, number, 'held', deltas, ARGV[4])
redis.call('HSET', batch, 'th', digits(now_ms()))
save_counts(campaign_key(serial), deltas)
release(serial, number, read_interval_ms > 0 and 'r' or 'h', read_interval_ms)
return 1
