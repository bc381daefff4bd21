-- Lift what blocks a lane; returns whether it was blocked.
local function unblock(campaign, lane)
  local field = 'blk:' .. lane
  return redis.call('HDEL', campaign, field, field .. ':until', field .. ':text', field .. ':n',
    field .. ':probing') > 0
end
