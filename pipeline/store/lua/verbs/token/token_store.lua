-- Store a fresh token and release the lock, if the caller still owns it.
--
-- ARGV      account, nonce of the lock, sealed token, its life in milliseconds
--
-- Returns 1 if stored, 0 if the lock went to another worker, which stores its own token.

-- @include token_key, token_lock_key

local account, nonce, token, life_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lock = token_lock_key(account)
if redis.call('GET', lock) ~= nonce then
  return 0
end
redis.call('SET', token_key(account), token, 'PX', life_ms)
redis.call('DEL', lock)
return 1
