-- Return the sealed digest key, or store the given one if this server has no data of ours.
--
-- ARGV      sealed digest key made just now, fingerprints of the keys of its maker (see enroll.lua),
--           the format that its maker writes (stored_format.py)
--
-- Returns {'found', format, digest key}, {'made', format, digest key}, or {'lost', format} if the digest
-- key is missing although there are data that were digested with it. Safe to repeat.

-- @include audit_keys, digits, ids_key, keyring_key, now_ms, serial_key, suppressed_key

local digest = redis.call('HGET', KEYRING, 'digest')
-- Data from before there was this field have format 1.
local stored = redis.call('HGET', KEYRING, 'format') or '1'
if digest then
  return { 'found', stored, digest }
end
-- A program of a newer format may keep the digest key elsewhere.
if tonumber(stored) > tonumber(ARGV[3]) then
  return { 'lost', stored }
end
if redis.call('EXISTS', IDS, SERIAL, AUDIT, AUDIT_COUNT) > 0 then
  return { 'lost', stored }
end
-- This runs once in the life of an installation.
for bucket = 0, SUPPRESSION_BUCKETS - 1 do
  if redis.call('EXISTS', suppressed_key(bucket)) == 1 then
    return { 'lost', stored }
  end
end
redis.call('DEL', KEYRING)
redis.call('HSET', KEYRING, 'digest', ARGV[1], 'ring:' .. ARGV[2], digits(now_ms()), 'format', ARGV[3])
return { 'made', ARGV[3], ARGV[1] }
