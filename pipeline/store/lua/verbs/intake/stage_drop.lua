-- Give up a staging area that is ours, or one that has lapsed.
--
-- ARGV      campaign id, serial, nonce ('' for: only if lapsed)
--
-- Returns 1 if its keys may now be deleted, 0 if it is somebody's, or committed.

-- @include discarded_key, now_ms, staging_key

local id, serial, nonce = ARGV[1], ARGV[2], ARGV[3]
local staging = redis.call('HGET', STAGING, id)
if not staging then
  return 0
end
local found, owner, lapses = string.match(staging, '^(%d+) (%S+) (%d+)$')
if found ~= serial or (nonce ~= '' and owner ~= nonce)
  or (nonce == '' and tonumber(lapses) > now_ms()) then
  return 0
end
redis.call('HDEL', STAGING, id)
-- Until the last key is gone, a crash must not leave orphans that nobody knows of.
redis.call('SADD', DISCARDED, serial)
return 1
