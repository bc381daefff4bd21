-- Record, durably, that messages are about to be sent; only what is granted here may start.
--
-- ARGV      serial, batch, token, then repeated: index, channel letter, last known attempt, and where
--           the address would stand in the suppression list (key and field; '' for no look)
--
-- Returns 'stale' if the lease is gone, 'halted' if the campaign is paused or cancelled, else one
-- attempt number per delivery (0: not granted). A suppressed
-- one is settled here, and the next channel becomes pending. A repeated call grants the same attempts again.

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
for i = 4, #ARGV, 5 do
  local index = tonumber(ARGV[i])
  local deliveries = load(c, ledger, plan, index)
  local attempt = 0
  for _, d in ipairs(deliveries) do
    if d.channel == ARGV[i + 1] then
      local known = tonumber(ARGV[i + 2])
      if d.status == 'i' and d.attempt == known + 1 then
        attempt = d.attempt
      elseif d.attempt == known and (d.status == 'p' or resends(c, d)) then
        tally(deltas, deliveries, -1)
        local doubtful = d.status == 'u'
        if ARGV[i + 3] ~= '' and redis.call('HEXISTS', ARGV[i + 3], ARGV[i + 4]) == 1 then
          d.code = 'suppressed'
          if doubtful then
            -- It may have arrived (how else did they unsubscribe?): no repeat, and no other channel.
            d.code = 'unconfirmed'
          else
            d.status = 'x'
          end
          if not doubtful and c.mode == 'first' then
            fall_back(c, deliveries, plan, index)
          end
        else
          attempt = known + 1
          d.status, d.attempt = 'i', attempt
          d.at, d.after, d.code = math.max(0, now - c.t0), 0, ''
        end
        tally(deltas, deliveries, 1)
        redis.call('HSET', ledger, ARGV[i], format(deliveries))
        break
      end
    end
  end
  granted[#granted + 1] = attempt
end
save_counts(c.key, deltas)
return granted
