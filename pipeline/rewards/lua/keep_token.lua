-- Keep a fresh token and release the lock, if the caller still holds it.
--
-- KEYS[1]  lock   KEYS[2]  sealed token
-- ARGV     nonce of the lock, sealed token, its life in milliseconds
--
-- Returns 1 if kept, 0 if the lock went to somebody else, who keeps a token of their own.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[1])
return 1
