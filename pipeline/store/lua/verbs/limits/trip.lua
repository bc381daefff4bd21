-- Count a failure of a provider itself; from the threshold on its breaker opens for a while.
--
-- ARGV      channel, threshold, first and longest time that it stays open in µs, reason
--
-- Returns for how many µs the breaker is open (0 while it stays closed). The time doubles with every
-- further failure after it; failures while it is open do not count. The first success deletes the key.

-- @include breaker_key, digits, now_ms

local key = breaker_key(ARGV[1])
local left_ms = tonumber(redis.call('HGET', key, 'until') or 0) - now_ms()
if left_ms > 0 then
  return left_ms * 1000
end
local failures = redis.call('HINCRBY', key, 'failures', 1)
redis.call('HSET', key, 'reason', ARGV[5])
local over = failures - tonumber(ARGV[2])
if over < 0 then
  redis.call('EXPIRE', key, 3600)
  return 0
end
local open_us = math.min(tonumber(ARGV[3]) * 2 ^ math.min(over, 20), tonumber(ARGV[4]))
redis.call('HSET', key, 'until', digits(now_ms() + open_us / 1000))
redis.call('EXPIRE', key, 3600 + math.ceil(open_us / 1e6))
return open_us
