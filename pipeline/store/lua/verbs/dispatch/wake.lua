-- Make a batch due now; if a worker has it in lease, it is due when the worker gives it back.
--
-- ARGV      serial, batch, '1' if the rewards API says that the order is complete
--
-- Returns 1 if there is such an unfinished batch. May be repeated.

-- @include batch_key, digits, due_key, now_ms

local serial, number = ARGV[1], ARGV[2]
local batch = batch_key(serial, number)
for _, lane in ipairs({ 'o', 'r', 's' }) do
  if redis.call('ZSCORE', due_key(serial, lane), number) then
    if ARGV[3] == '1' and lane ~= 's' then
      -- Why the order is read next, for the metrics.
      redis.call('HSET', batch, 'woken', '1')
    end
    if redis.call('HEXISTS', batch, 'tok') == 1 then
      redis.call('HSET', batch, 'wake', '1')
    else
      redis.call('ZADD', due_key(serial, lane), 'LT', digits(now_ms()), number)
    end
    return 1
  end
end
return 0
