-- Take back the intent of a POST that certainly never left this machine.
--
-- ARGV      serial, batch, token, nonce of that POST
--
-- Returns 1 if it was taken back, 0 if not (stale, or another POST was recorded since).

-- @include batch_key, owns_lease

local batch = batch_key(ARGV[1], ARGV[2])
if not owns_lease(batch, ARGV[3]) or redis.call('HGET', batch, 'post') ~= ARGV[4] then
  return 0
end
redis.call('HDEL', batch, 'post')
redis.call('HINCRBY', batch, 'posts', -1)
return 1
