-- Begin to remove the personal data and the links of a campaign that has ended: from here on nothing of
-- it can be sent again.
--
-- ARGV      serial, ms that it must have ended ago
--
-- Returns 'purging' (may be repeated, as after a crash), 'purged' if it was purged
-- before, or 'unended' if it has not ended, or not long enough ago.

-- @include campaign_key, digits, now_ms

local campaign = campaign_key(ARGV[1])
local found = redis.call('HMGET', campaign, 'fin', 'purging', 'purged')
if found[3] then
  return 'purged'
end
if not found[2] then
  if not found[1] or tonumber(found[1]) + tonumber(ARGV[2]) > now_ms() then
    return 'unended'
  end
  redis.call('HSET', campaign, 'purging', digits(now_ms()))
end
return 'purging'
