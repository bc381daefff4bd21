-- Note that every batch of a campaign was purged, and when.
--
-- ARGV      serial
--
-- Returns when it was purged, in ms, the same every time; '' if batches are left.

-- @include campaign_key, digits, now_ms

local campaign = campaign_key(ARGV[1])
local found = redis.call('HMGET', campaign, 'purged', 'purging', 'purging:to', 'nb')
if found[1] then
  return found[1]
end
if not found[2] or tonumber(found[3] or 0) < tonumber(found[4]) then
  return ''
end
local now = digits(now_ms())
redis.call('HSET', campaign, 'purged', now)
redis.call('HDEL', campaign, 'purging:to')
return now
