-- Forget the token that the API refused, and count it.
--
-- KEYS[1]  sealed token   KEYS[2]  how many tokens were refused in a row
-- ARGV     the sealed token as it was read ('' if it is another one by now), milliseconds after
--          which the count is forgotten
--
-- Returns the count. A token that is not there any more was counted by whoever discarded it.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return tonumber(redis.call('GET', KEYS[2]) or 0)
end
redis.call('DEL', KEYS[1])
local refused = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return refused
