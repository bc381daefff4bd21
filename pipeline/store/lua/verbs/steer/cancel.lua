-- Cancel a campaign for good: every batch becomes due, and workers bring each to its end.
--
-- ARGV      serial
--
-- Returns 1, or 0 if it is finished or was cancelled before.

-- @include active_key, batch_key, campaign_key, digits, due_key, now_ms

local serial = ARGV[1]
local campaign = campaign_key(serial)
local ended = redis.call('HMGET', campaign, 'fin', 'can', 'sub')
if ended[1] or ended[2] or not ended[3] then
  return 0
end
local now = digits(now_ms())
redis.call('HSET', campaign, 'can', now)
redis.call('HDEL', campaign, 'pau')
for _, number in ipairs(redis.call('ZRANGE', due_key(serial, 'h'), 0, -1)) do
  local got = redis.call('HMGET', batch_key(serial, number), 'tf', 'oid')
  local lane = got[1] and 's' or got[2] and 'r' or 'o'
  redis.call('ZREM', due_key(serial, 'h'), number)
  redis.call('ZADD', due_key(serial, lane), now, number)
end
for _, lane in ipairs({ 'o', 'r', 's' }) do
  for _, number in ipairs(redis.call('ZRANGE', due_key(serial, lane), 0, -1)) do
    redis.call('ZADD', due_key(serial, lane), 'LT', now, number)
    if redis.call('HEXISTS', batch_key(serial, number), 'tok') == 1 then
      redis.call('HSET', batch_key(serial, number), 'wake', '1')
    end
  end
end
redis.call('ZADD', ACTIVE, 'NX', 0, serial)
return 1
