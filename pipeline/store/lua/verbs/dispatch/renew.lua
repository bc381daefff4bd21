-- Keep the leases of one worker alive, in one call for all of them.
--
-- ARGV      lease in ms, then serial, batch, lane and token of every lease
--
-- Returns one '1' (renewed) or '0' (another worker has the lease, or it was given back) per lease. An
-- expired lease that no other worker has got is renewed: no other worker has started anything.

-- @include batch_key, digits, due_key, owns_lease, now_ms

local lease_ms = tonumber(ARGV[1])
local answers = {}
for i = 2, #ARGV, 4 do
  local serial, number = ARGV[i], ARGV[i + 1]
  local batch = batch_key(serial, number)
  if owns_lease(batch, ARGV[i + 3]) then
    local until_ms = digits(now_ms() + lease_ms)
    redis.call('HSET', batch, 'lu', until_ms)
    -- XX: the order may have been placed since the caller listed these leases.
    redis.call('ZADD', due_key(serial, ARGV[i + 2]), 'XX', until_ms, number)
    answers[#answers + 1] = '1'
  else
    answers[#answers + 1] = '0'
  end
end
return answers
