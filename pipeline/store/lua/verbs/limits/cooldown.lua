-- Start a cooldown: no permits for a while, as a provider asked (429, Retry-After) or its breaker opened.
--
-- ARGV      limiter name, µs
--
-- Never shortens a longer cooldown. Returns 1.

-- @include digits, limiter_key, now_us

local now = now_us()
local key, until_us = limiter_key(ARGV[1]), now + tonumber(ARGV[2])
until_us = math.max(until_us, tonumber(redis.call('HGET', key, 'hush') or 0))
redis.call('HSET', key, 'hush', digits(until_us))
local keep = math.ceil((until_us - now) / 1000) + 1000
redis.call('PEXPIRE', key, math.max(keep, redis.call('PTTL', key)))
return 1
