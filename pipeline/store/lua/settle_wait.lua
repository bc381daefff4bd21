-- Nothing changed: give the lease back and look again after the delay.
--
-- ARGV      serial, batch, token, lane, delay in ms, field to count this in ('' for none)
--
-- The field (`polls`, `odd`, `fails`) is what later delays grow with. Returns 1, or 0 if stale.

local batch = batch_key(ARGV[1], ARGV[2])
if not holds(batch, ARGV[3]) then
  return 0
end
if ARGV[6] ~= '' then
  redis.call('HINCRBY', batch, ARGV[6], 1)
  redis.call('HSETNX', batch, ARGV[6] .. ':at', digits(now_ms()))
end
release(ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[5]))
return 1
