-- Leave the lock behind under another nonce, for so many milliseconds, if the caller still owns it.
--
-- ARGV      account, nonce of the lock, nonce of the new one, milliseconds
--
-- Returns 1 if replaced, 0 if the lock went to another worker or ended.

-- @include token_lock_key

local account, nonce, other, backoff_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lock = token_lock_key(account)
if redis.call('GET', lock) ~= nonce then
  return 0
end
redis.call('SET', lock, other, 'PX', backoff_ms)
return 1
