-- Keep the leases of one worker alive, in one call for all of them.
--
-- ARGV      lease in ms, then serial, batch, lane and token of every lease
--
-- Returns one '1' (renewed) or '0' (somebody else took over, or it was settled) per lease. An
-- expired lease that nobody took is renewed: nothing has been started by another worker.

-- @include batch_key, digits, due_key, holds, now_ms

local lease = tonumber(ARGV[1])
local answers = {}
for i = 2, #ARGV, 4 do
  local serial, number = ARGV[i], ARGV[i + 1]
  local batch = batch_key(serial, number)
  if holds(batch, ARGV[i + 3]) then
    local until_ms = digits(now_ms() + lease)
    redis.call('HSET', batch, 'lu', until_ms)
    -- XX: the order may have been placed since this heartbeat was put together.
    redis.call('ZADD', due_key(serial, ARGV[i + 2]), 'XX', until_ms, number)
    answers[#answers + 1] = '1'
  else
    answers[#answers + 1] = '0'
  end
end
return answers
