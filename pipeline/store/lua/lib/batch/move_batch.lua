-- @include batch_key, counters

-- Change the state of a batch; `why` is the reason when the new state is 'held'.
local function move_batch(serial, number, state, deltas, why)
  local batch = batch_key(serial, number)
  local old = redis.call('HMGET', batch, 'st', 'why')
  if old[2] then
    count(deltas, 'h:' .. old[2], -1)
    redis.call('HDEL', batch, 'why')
  end
  if why then
    redis.call('HSET', batch, 'why', why)
    count(deltas, 'h:' .. why, 1)
  end
  redis.call('HSET', batch, 'st', state)
  count(deltas, 'b:' .. old[1], -1)
  count(deltas, 'b:' .. state, 1)
  return old[1]
end
