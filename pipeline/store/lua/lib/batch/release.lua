-- @include batch_key, begun_key, digits, due_key, lanes, now_ms

-- Give the lease back and leave the batch in exactly one due index (in none if `lane` is nil),
-- due in `delay` ms, or at once if somebody woke it meanwhile.
local function release(serial, number, lane, delay)
  local batch = batch_key(serial, number)
  if redis.call('HDEL', batch, 'wake') == 1 and lane ~= 'h' then
    delay = 0
  end
  redis.call('HDEL', batch, 'tok', 'lu', 'deaths')
  local known = redis.call('HMGET', batch, 'st', 'posts')
  -- Its order may have been placed, though no answer says so.
  local posted = known[1] == 'planned' and tonumber(known[2] or 0) > 0
  redis.call(posted and 'SADD' or 'SREM', begun_key(serial), number)
  for _, other in pairs(LANE) do
    if other ~= lane then
      redis.call('ZREM', due_key(serial, other), number)
    end
  end
  if lane then
    redis.call('ZADD', due_key(serial, lane), digits(now_ms() + delay), number)
  end
end
