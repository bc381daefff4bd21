-- Let a lock end after so many milliseconds from now, if its owner still holds it.
--
-- KEYS[1]  lock
-- ARGV     nonce of the lock, milliseconds
--
-- Returns 1 if the lock is held, 0 if it went to somebody else or ended.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
