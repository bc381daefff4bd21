-- Discard the token that the API refused, and count it.
--
-- ARGV      account, the sealed token as it was read ('' if it is another one by now),
--           milliseconds after which the count ends
--
-- Returns the count. Whoever discarded a token that is not there any more has counted it.

-- @include token_key, token_refusals_key

local account, seen, expiry_ms = ARGV[1], ARGV[2], ARGV[3]
local token, refusals = token_key(account), token_refusals_key(account)
if redis.call('GET', token) ~= seen then
  return tonumber(redis.call('GET', refusals) or 0)
end
redis.call('DEL', token)
local refused = redis.call('INCR', refusals)
redis.call('PEXPIRE', refusals, expiry_ms)
return refused
