-- Record, durably, that messages are about to be sent; only what is granted here may start.
--
-- ARGV      serial, batch, token, then index, channel letter and last known attempt, repeated
--
-- Returns 'stale' if the lease is gone, 'halted' if the campaign is paused or cancelled, else one
-- attempt number per triple (0: not granted). A repeated call grants the same attempts again.

local serial, number, token = ARGV[1], ARGV[2], ARGV[3]
local batch = batch_key(serial, number)
if not holds(batch, token) then
  return 'stale'
end
local c = campaign_facts(serial)
if c.paused or c.cancelled then
  return 'halted'
end
local ledger, plan = ledger_key(serial, number), redis.call('HGET', batch, 'plan')
local now, deltas, granted = now_ms(), {}, {}
for i = 4, #ARGV, 3 do
  local deliveries = load(c, ledger, plan, tonumber(ARGV[i]))
  local attempt = 0
  for _, d in ipairs(deliveries) do
    if d.channel == ARGV[i + 1] then
      local known = tonumber(ARGV[i + 2])
      if d.status == 'i' and d.attempt == known + 1 then
        attempt = d.attempt
      elseif d.attempt == known and (d.status == 'p' or resends(c, d))
      then
        count(deltas, 'd:' .. STATUS[d.status], -1)
        count(deltas, 'd:sending', 1)
        attempt = known + 1
        d.status, d.attempt, d.at, d.after, d.code = 'i', attempt, now - c.t0, 0, ''
        redis.call('HSET', ledger, ARGV[i], format(deliveries))
      end
    end
  end
  granted[#granted + 1] = attempt
end
save_counts(c.key, deltas)
return granted
