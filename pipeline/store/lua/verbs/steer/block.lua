-- Stop ordering (lane o), reading orders (lane r) or sending (lane s) of a campaign, with a reason.
--
-- ARGV      serial, lane, reason, the provider's words, ms until one batch may probe (0: never)
--
-- Returns 1. While blocked only the probe goes through. `unblock.lua` or a resume (`pause.lua`) lifts it; a
-- placed order also lifts that of ordering (`order_placed.lua`).

-- @include campaign_key, digits, now_ms

local campaign, lane = campaign_key(ARGV[1]), ARGV[2]
local known = redis.call('HMGET', campaign, 'blk:' .. lane .. ':until', 'blk:' .. lane .. ':probing')
if known[1] and not known[2] and tonumber(known[1]) > now_ms() then
  -- Several batches were in work when the first one met the block: they count as one failure.
  return 1
end
redis.call('HDEL', campaign, 'blk:' .. lane .. ':probing')
redis.call('HSET', campaign, 'blk:' .. lane, ARGV[3], 'blk:' .. lane .. ':text', ARGV[4])
local probe = tonumber(ARGV[5])
if probe > 0 then
  redis.call('HSET', campaign, 'blk:' .. lane .. ':until', digits(now_ms() + probe))
  redis.call('HINCRBY', campaign, 'blk:' .. lane .. ':n', 1)
else
  redis.call('HDEL', campaign, 'blk:' .. lane .. ':until')
end
return 1
