-- Leave a lock behind under another nonce, for so many milliseconds, if its owner still holds it.
--
-- KEYS[1]  lock
-- ARGV     nonce of the lock, nonce of the new one, milliseconds
--
-- Returns 1 if replaced, 0 if the lock went to somebody else or ended.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
