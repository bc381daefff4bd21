-- What blocked a lane is over: a probe went through.
--
-- ARGV      serial, lane
--
-- Returns 1 if it was blocked.

local campaign, field = campaign_key(ARGV[1]), 'blk:' .. ARGV[2]
return redis.call('HDEL', campaign, field, field .. ':until', field .. ':text', field .. ':n',
  field .. ':probing') > 0 and 1 or 0
