-- Release the lock, if the caller still owns it.
--
-- ARGV      account, nonce of the lock
--
-- Returns 1 if released, 0 if it went to another worker or ended.

-- @include token_lock_key

local lock = token_lock_key(ARGV[1])
if redis.call('GET', lock) ~= ARGV[2] then
  return 0
end
return redis.call('DEL', lock)
