-- Make a staged campaign real: from here on it is worked, and its content is fixed.
--
-- ARGV      campaign id, serial, nonce, sealed definition, start in ms since the epoch (0: now),
--           then field and value pairs of the campaign hash
--
-- Returns {'ok', serial} (also when repeated), {'committed', serial} if another attempt won, or
-- {'lost', ''} if the staging area is gone.

local id, serial, nonce = ARGV[1], ARGV[2], ARGV[3]
local committed = redis.call('HGET', 'cc:ids', id)
if committed then
  return { committed == serial and 'ok' or 'committed', committed }
end
local staging = redis.call('HGET', 'cc:staging', id)
local mine = serial .. ' ' .. nonce .. ' '
if not staging or string.sub(staging, 1, #mine) ~= mine then
  return { 'lost', '' }
end

local campaign = campaign_key(serial)
local now = now_ms()
redis.call('SET', campaign .. ':def', ARGV[4])
redis.call('HSET', campaign, 'id', id, 'sub', digits(now), 't0', digits(now), 'start', ARGV[5])
for i = 6, #ARGV, 2 do
  redis.call('HSET', campaign, ARGV[i], ARGV[i + 1])
end
redis.call('HSET', 'cc:ids', id, serial)
redis.call('HDEL', 'cc:staging', id)
redis.call('ZADD', 'cc:active', 0, serial)
return { 'ok', serial }
