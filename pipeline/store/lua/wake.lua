-- Make a batch due now; if a worker holds it, the settle at the end of its work honours this.
--
-- ARGV      serial, batch
--
-- Returns 1 if there is such an unfinished batch.

local serial, number = ARGV[1], ARGV[2]
local batch = batch_key(serial, number)
for _, lane in ipairs({ 'o', 'r', 's' }) do
  if redis.call('ZSCORE', due_key(serial, lane), number) then
    if redis.call('HEXISTS', batch, 'tok') == 1 then
      redis.call('HSET', batch, 'wake', '1')
    else
      redis.call('ZADD', due_key(serial, lane), 'LT', digits(now_ms()), number)
    end
    return 1
  end
end
return 0
