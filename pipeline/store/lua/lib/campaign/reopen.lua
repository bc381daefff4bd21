-- @include active_key

-- A campaign that had finished has work again.
local function reopen(campaign, serial)
  redis.call('HDEL', campaign, 'fin')
  redis.call('ZADD', ACTIVE, 'NX', 0, serial)
end
