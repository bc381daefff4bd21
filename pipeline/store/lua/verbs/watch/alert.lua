-- Write the next record of an alert, if the last one still is as the caller read it: so only one worker
-- notifies.
--
-- ARGV      alert, its record as it was read ('' if there was none), the new record without its
--           time ('' to remove the alert)
--
-- A record is '<ms when it was written> <phase> <ms since when> <tries>', and the alert is its field
-- (pipeline/store/formats/alert_records.py).
-- Returns the record as it is stored now, '' if it was removed, or nil if another worker was
-- faster. Repeated after a lost reply, it changes nothing and returns nil.

-- @include alerts_key, digits, now_ms

local known = redis.call('HGET', ALERTS, ARGV[1]) or ''
if known ~= ARGV[2] then
  return nil
end
if ARGV[3] == '' then
  redis.call('HDEL', ALERTS, ARGV[1])
  return ''
end
local record = digits(now_ms()) .. ' ' .. ARGV[3]
redis.call('HSET', ALERTS, ARGV[1], record)
return record
