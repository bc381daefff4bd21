-- Delete a key if it still holds this value: a lock by its owner.
--
-- KEYS[1]  key
-- ARGV[1]  the value it must hold
--
-- Returns 1 if deleted, 0 if it holds something else or nothing.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
