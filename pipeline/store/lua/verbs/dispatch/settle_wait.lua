-- Nothing changed: give the lease back and let the batch be due after the delay.
--
-- ARGV      serial, batch, token, lane, delay in ms, field that counts this ('' for none)
--
-- Later delays grow with the field (`polls`, `odd`, `fails`); an order that could be read (`polls`) resets
-- the other two. The state decides the lane, as the caller may not have seen the reply to its last step;
-- only a held batch stays in the caller's. Returns 1, or 0 if stale.

-- @include batch_key, digits, owns_lease, lanes, now_ms, release

local batch = batch_key(ARGV[1], ARGV[2])
if not owns_lease(batch, ARGV[3]) then
  return 0
end
if ARGV[6] == 'polls' then
  redis.call('HDEL', batch, 'odd', 'odd:at', 'fails', 'fails:at')
end
if ARGV[6] ~= '' then
  redis.call('HINCRBY', batch, ARGV[6], 1)
  redis.call('HSETNX', batch, ARGV[6] .. ':at', digits(now_ms()))
end
if ARGV[6] == 'fails' then
  -- The POST is over, whatever became of it; one that stays open here was interrupted.
  redis.call('HDEL', batch, 'post')
end
if ARGV[6] ~= '' and redis.call('HEXISTS', batch, 'wake') == 0 then
  -- The order was read as a webhook asked, and no other webhook came meanwhile.
  redis.call('HDEL', batch, 'woken')
end
local lane = LANE[redis.call('HGET', batch, 'st')]
release(ARGV[1], ARGV[2], lane == 'h' and ARGV[4] or lane, tonumber(ARGV[5]))
return 1
