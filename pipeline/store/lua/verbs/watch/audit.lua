-- Append one entry to the audit trail, if nobody else appended one meanwhile.
--
-- ARGV      number of entries that this one follows, the entry
--
-- Returns {1, ''}, or {0, the last entry, how many there are} if the trail is longer (or shorter).

-- @include audit_keys

local length = redis.call('LLEN', AUDIT)
if length ~= tonumber(ARGV[1]) then
  return { 0, redis.call('LINDEX', AUDIT, -1) or '', length }
end
redis.call('RPUSH', AUDIT, ARGV[2])
-- Beside the trail, so that entries taken from its end are missed.
redis.call('SET', AUDIT_COUNT, length + 1)
return { 1, '' }
