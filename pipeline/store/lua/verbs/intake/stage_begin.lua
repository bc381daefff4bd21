-- Open a staging area for a campaign, unless it is committed or somebody else is staging it.
--
-- ARGV      campaign id, nonce of this attempt, ms after which a silent attempt is given up
--
-- The keys under an old serial are to be deleted.
-- Returns {'committed', serial} | {'busy', ms until it lapses} | {'staging', serial, old serial}.
-- A repeated call with the same nonce returns the same serial and keeps it alive.

-- @include digits, discarded_key, ids_key, now_ms, serial_key, staging_key

local id, nonce, lapse_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local committed = redis.call('HGET', IDS, id)
if committed then
  return { 'committed', committed }
end

local old = ''
local staging = redis.call('HGET', STAGING, id)
if staging then
  local serial, owner, lapses = string.match(staging, '^(%d+) (%S+) (%d+)$')
  if owner == nonce then
    redis.call('HSET', STAGING, id,
      serial .. ' ' .. nonce .. ' ' .. digits(now_ms() + lapse_ms))
    return { 'staging', serial, '' }
  end
  local left = tonumber(lapses) - now_ms()
  if left > 0 then
    return { 'busy', digits(left) }
  end
  old = serial
  redis.call('SADD', DISCARDED, serial)
end

local serial = redis.call('INCR', SERIAL)
redis.call('HSET', STAGING, id, serial .. ' ' .. nonce .. ' ' .. digits(now_ms() + lapse_ms))
return { 'staging', tostring(serial), old }
