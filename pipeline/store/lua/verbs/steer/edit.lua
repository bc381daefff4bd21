-- Give a paused campaign another definition: the next version of its messages and limits.
--
-- ARGV      serial, version that the change was made from, nonce of this change, sealed definition
--
-- The definition so far is kept under its version. `ver:<n>` is when version n began: later than
-- everything that was started under the one before (`last`, see intend.lua), whatever the clock
-- says, so the version of a message follows from when its attempt was started. New limits count
-- at once: what the old ones had booked ahead is dropped, and batches that waited for them are due.
-- Returns {'ok', new version}, also when repeated; else {'other' (somebody else was first),
-- 'running' (not paused) or 'ended', current version}, with nothing changed.

-- @include batch_key, campaign_key, campaign_limiter, channels, definition_key, digits, due_key
-- @include earlier_definition_key, limiter_key, now_ms

local serial, made_from, nonce = ARGV[1], ARGV[2], ARGV[3]
local campaign = campaign_key(serial)
local found = redis.call('HMGET', campaign, 'ver', 'ver:nonce', 'fin', 'can', 'pau', 'last')
local version = found[1] or '1'
if found[2] == nonce then
  return { 'ok', version }
end
if version ~= made_from then
  return { 'other', version }
end
if found[3] or found[4] then
  return { 'ended', version }
end
if found[5] ~= '1' then
  return { 'running', version }
end

local now = now_ms()
local new = digits(tonumber(version) + 1)
redis.call('RENAME', definition_key(serial), earlier_definition_key(serial, version))
redis.call('SET', definition_key(serial), ARGV[4])
redis.call('HSET', campaign, 'ver', new, 'ver:nonce', nonce,
  'ver:' .. new, digits(math.max(now, tonumber(found[6] or 0)) + 1))
for _, channel in pairs(CHANNEL) do
  redis.call('HDEL', limiter_key(campaign_limiter(serial, channel)), 'next')
end
local sending = due_key(serial, 's')
for _, number in ipairs(redis.call('ZRANGEBYSCORE', sending, digits(now), '+inf')) do
  if redis.call('HEXISTS', batch_key(serial, number), 'tok') == 0 then
    redis.call('ZADD', sending, digits(now), number)
  end
end
return { 'ok', new }
