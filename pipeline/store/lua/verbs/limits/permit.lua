-- GCRA over several limiters at once: grant up to n permits that all of them can give now.
--
-- ARGV      n, then name, interval between permits in µs (0: unlimited) per limiter
--
-- Returns {granted, µs to wait for the next permit (0 if any were granted)}. The server's clock
-- counts. What `limits set` stored wins over the interval given. A burst is what a
-- tenth of a second gives, at least one permit, so low rates do not stall and high ones do not
-- clump.

-- @include digits, limiter_key, limits_key, now_us

local BURST_US = 100000
local now = now_us()
local limiters = {}
local granted, wait = tonumber(ARGV[1]), 0

for i = 2, #ARGV, 2 do
  local name, interval = ARGV[i], tonumber(ARGV[i + 1])
  local set = redis.call('HGET', LIMITS, name)
  if set then
    interval = tonumber(string.match(set, '^[^|]+'))
  end
  local key = limiter_key(name)
  local stored = redis.call('HMGET', key, 'tat', 'interval', 'hush')
  local tolerance = math.max(BURST_US, interval)
  -- How far is booked ahead, in µs: a number of its own, as sums with the time of day lose fractions,
  -- and with them the one permit that there is.
  local ahead = math.max(0, tonumber(stored[1] or 0) - now)
  if stored[2] and tonumber(stored[2]) ~= interval then
    -- The rate was changed: what the old one had booked ahead counts no longer.
    ahead = math.min(ahead, tolerance - interval)
  end
  local cooldown_until = tonumber(stored[3] or 0)
  if cooldown_until > now then
    granted, wait = 0, math.max(wait, cooldown_until - now)
  end
  local limiter = { key = key, ahead = ahead, interval = interval, tolerance = tolerance }
  if interval > 0 then
    local available = math.floor((tolerance - ahead) / interval + 0.000001)
    if available < 1 then
      wait = math.max(wait, ahead + interval - tolerance)
    end
    granted = math.max(0, math.min(granted, available))
  end
  limiters[#limiters + 1] = limiter
end

if granted == 0 then
  return { 0, math.ceil(math.max(wait, 1)) }
end
for _, l in ipairs(limiters) do
  if l.interval > 0 then
    local ahead = l.ahead + granted * l.interval
    redis.call('HSET', l.key, 'tat', digits(now + ahead), 'interval', string.format('%.17g', l.interval),
      'next', digits(now + ahead + l.interval - l.tolerance))
    redis.call('PEXPIRE', l.key, math.ceil(ahead / 1000) + 1000)
  end
end
return { granted, 0 }
