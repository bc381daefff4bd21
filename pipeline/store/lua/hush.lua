-- A provider asked for silence (429, Retry-After) or its breaker opened: no permits for a while.
--
-- ARGV      limiter name, µs
--
-- Never shortens a longer silence. Returns 1.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local key, until_us = 'cc:gcra:' .. ARGV[1], now + tonumber(ARGV[2])
-- A tenth of a second more, because that is what the limiter may run ahead.
local tat = math.max(tonumber(redis.call('HGET', key, 'tat') or 0), until_us + 100000)
redis.call('HSET', key, 'tat', digits(tat), 'next', digits(until_us))
redis.call('PEXPIRE', key, math.ceil((tat - now) / 1000) + 1000)
return 1
