-- Make a staged campaign real: from here on workers run it, and its content is fixed.
--
-- ARGV      campaign id, serial, nonce, sealed definition, start in ms since the epoch (0: now),
--           then field and value pairs of the campaign hash
--
-- Returns {'ok', serial} (also when repeated), {'committed', serial} if another attempt won, or
-- {'lost', ''} if the staging area is gone, or not all of its batches are there: a server that was
-- restarted may have lost some that were staged.

-- @include active_key, campaign_key, definition_key, digits, due_key, ids_key, now_ms, staging_key

local id, serial, nonce = ARGV[1], ARGV[2], ARGV[3]
local committed = redis.call('HGET', IDS, id)
if committed then
  return { committed == serial and 'ok' or 'committed', committed }
end
local staging = redis.call('HGET', STAGING, id)
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
redis.call('SET', definition_key(serial), ARGV[4])
redis.call('HSET', campaign, 'id', id, 'sub', digits(now), 't0', digits(now), 'start', ARGV[5])
for name, value in pairs(fields) do
  redis.call('HSET', campaign, name, value)
end
redis.call('HSET', IDS, id, serial)
redis.call('HDEL', STAGING, id)
redis.call('ZADD', ACTIVE, 0, serial)
return { 'ok', serial }
