-- @include active_key, digits, now_ms

local function all_zero(campaign, fields)
  for _, value in ipairs(redis.call('HMGET', campaign, unpack(fields))) do
    if value and tonumber(value) ~= 0 then
      return false
    end
  end
  return true
end

-- Uncertain deliveries to people who were erased stay uncertain for ever.
local function nothing_open(campaign)
  local uncertain = redis.call('HMGET', campaign, 'd:uncertain', 'd:uncertain:forgotten')
  return tonumber(uncertain[1] or 0) == tonumber(uncertain[2] or 0)
    and all_zero(campaign, { 'd:pending', 'd:sending' })
end

-- The counters decide whether a campaign has finished, never "no more rows came".
local function finish_if_done(campaign, serial, cancelled)
  if all_zero(campaign, { 'b:planned', 'b:ordered', 'b:fulfilled', 'b:held' })
    and (cancelled or nothing_open(campaign)) then
    redis.call('HSETNX', campaign, 'fin', digits(now_ms()))
    redis.call('ZREM', ACTIVE, serial)
  end
end
