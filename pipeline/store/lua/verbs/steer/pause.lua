-- Stop a campaign from starting anything, or let it go on.
--
-- ARGV      serial, 'pause' or 'resume'
--
-- Resuming also unblocks ordering, reading and sending: the operator says that the cause is mended.
-- Returns 1, or 0 if the campaign is finished or cancelled. May be called again.

-- @include campaign_key, unblock

local campaign = campaign_key(ARGV[1])
local ended = redis.call('HMGET', campaign, 'fin', 'can', 'sub')
if ended[1] or ended[2] or not ended[3] then
  return 0
end
if ARGV[2] == 'pause' then
  redis.call('HSET', campaign, 'pau', '1')
else
  redis.call('HDEL', campaign, 'pau')
  for _, lane in ipairs({ 'o', 'r', 's' }) do
    unblock(campaign, lane)
  end
end
return 1
