-- Open a staging area for a campaign, unless it is committed or somebody else is staging it.
--
-- KEYS      none; ids, staging and serial are fixed
-- ARGV      campaign id, nonce of this attempt, ms after which a silent attempt is given up
--
-- The keys under an old serial are to be deleted.
-- Returns {'committed', serial} | {'busy', ms until it lapses} | {'staging', serial, old serial}.
-- A repeated call with the same nonce returns the same serial and keeps it alive.

local id, nonce, patience = ARGV[1], ARGV[2], tonumber(ARGV[3])
local committed = redis.call('HGET', 'cc:ids', id)
if committed then
  return { 'committed', committed }
end

local old = ''
local staging = redis.call('HGET', 'cc:staging', id)
if staging then
  local serial, owner, lapses = string.match(staging, '^(%d+) (%S+) (%d+)$')
  if owner == nonce then
    redis.call('HSET', 'cc:staging', id,
      serial .. ' ' .. nonce .. ' ' .. digits(now_ms() + patience))
    return { 'staging', serial, '' }
  end
  local left = tonumber(lapses) - now_ms()
  if left > 0 then
    return { 'busy', digits(left) }
  end
  old = serial
  redis.call('SADD', 'cc:discarded', serial)
end

local serial = redis.call('INCR', 'cc:serial')
redis.call('HSET', 'cc:staging', id, serial .. ' ' .. nonce .. ' ' .. digits(now_ms() + patience))
return { 'staging', tostring(serial), old }
