-- Count a failure of a provider itself; from the threshold on its breaker opens for a while.
--
-- ARGV      channel, threshold, first silence in µs, longest silence in µs, reason
--
-- Returns µs of silence (0 while the breaker stays closed). The silence doubles with every further
-- failure after it; what was on its way when it began counts once. The first success deletes the key.

-- @include breaker_key, digits, now_ms

local key = breaker_key(ARGV[1])
local left = tonumber(redis.call('HGET', key, 'until') or 0) - now_ms()
if left > 0 then
  return left * 1000
end
local failures = redis.call('HINCRBY', key, 'failures', 1)
redis.call('HSET', key, 'reason', ARGV[5])
local over = failures - tonumber(ARGV[2])
if over < 0 then
  redis.call('EXPIRE', key, 3600)
  return 0
end
local silence = math.min(tonumber(ARGV[3]) * 2 ^ math.min(over, 20), tonumber(ARGV[4]))
redis.call('HSET', key, 'until', digits(now_ms() + silence / 1000))
redis.call('EXPIRE', key, 3600 + math.ceil(silence / 1e6))
return silence
