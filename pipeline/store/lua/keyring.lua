-- Return the sealed digest key, or keep the given one if this server holds nothing of ours.
--
-- ARGV      sealed digest key made just now, fingerprints of the keys of its maker (see enroll.lua)
--
-- Returns {'found', digest key}, {'made', digest key}, or {'lost'} if the digest key is gone although
-- something rests here that was digested with it. Safe to repeat.

local digest = redis.call('HGET', 'cc:keys', 'digest')
if digest then
  return { 'found', digest }
end
if redis.call('EXISTS', 'cc:ids', 'cc:serial', 'cc:audit', 'cc:audit:count') > 0 then
  return { 'lost' }
end
-- As many as suppressions.py has; looked at once in the life of an installation.
for bucket = 0, 1023 do
  if redis.call('EXISTS', 'cc:suppressed:' .. bucket) == 1 then
    return { 'lost' }
  end
end
redis.call('DEL', 'cc:keys')
redis.call('HSET', 'cc:keys', 'digest', ARGV[1], 'ring:' .. ARGV[2], digits(now_ms()))
return { 'made', ARGV[1] }
