-- Write one batch of recipients into a staging area. Nothing is ordered before the commit.
--
-- ARGV      campaign id, serial, nonce, patience in ms, batch number, plan, sealed recipients,
--           then bucket, digest of the id, and position for every recipient
--
-- Returns 'ok', 'lost' if the staging area is no longer ours, or 'duplicate <i>' for the first
-- recipient (0-based) whose id stands in the campaign already. May be called again.

local id, serial, nonce, patience, batch = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local staging = redis.call('HGET', 'cc:staging', id)
local mine = serial .. ' ' .. nonce .. ' '
if not staging or string.sub(staging, 1, #mine) ~= mine then
  return 'lost'
end
for i = 8, #ARGV, 3 do
  local bucket = 'cc:' .. serial .. ':x:' .. ARGV[i]
  if redis.call('HSETNX', bucket, ARGV[i + 1], ARGV[i + 2]) == 0
    and redis.call('HGET', bucket, ARGV[i + 1]) ~= ARGV[i + 2] then
    return 'duplicate ' .. (i - 8) / 3
  end
end
redis.call('SET', 'cc:' .. serial .. ':r:' .. batch, ARGV[7])
redis.call('HSET', batch_key(serial, batch), 'st', 'planned', 'plan', ARGV[6])
redis.call('ZADD', due_key(serial, 'o'), 0, batch)
redis.call('HSET', 'cc:staging', id, mine .. digits(now_ms() + tonumber(patience)))
return 'ok'
