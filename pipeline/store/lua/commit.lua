-- Make a staged campaign real: from here on it is worked, and its content is fixed.
--
-- ARGV      campaign id, serial, nonce, sealed definition, start in ms since the epoch (0: now),
--           then field and value pairs of the campaign hash
--
-- Returns {'ok', serial} (also when repeated), {'committed', serial} if another attempt won, or
-- {'lost', ''} if the staging area is gone, or not all of its batches are there: a server that was
-- restarted may have lost some that were staged.

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
local fields = {}
for i = 6, #ARGV, 2 do
  fields[ARGV[i]] = ARGV[i + 1]
end
if redis.call('ZCARD', due_key(serial, 'o')) ~= tonumber(fields.nb) then
  return { 'lost', '' }
end

local campaign = campaign_key(serial)
local now = now_ms()
redis.call('SET', campaign .. ':def', ARGV[4])
redis.call('HSET', campaign, 'id', id, 'sub', digits(now), 't0', digits(now), 'start', ARGV[5])
for name, value in pairs(fields) do
  redis.call('HSET', campaign, name, value)
end
redis.call('HSET', 'cc:ids', id, serial)
redis.call('HDEL', 'cc:staging', id)
redis.call('ZADD', 'cc:active', 0, serial)
return { 'ok', serial }
