-- End a batch of a cancelled campaign: deliveries that were never sent are skipped, their links are spare.
--
-- ARGV      serial, batch, token, reason ('' or 'order_unknown')
--
-- Returns 1, or 0 if the token is stale or the campaign is not cancelled.

-- @include batch_key, campaign_facts, counters, earlier_key, finish_if_done, format, owns_lease
-- @include ledger_key, load_deliveries, move_batch, release, tally

local serial, number, token, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local batch, ledger = batch_key(serial, number), ledger_key(serial, number)
local c = campaign_facts(serial)
if not c.cancelled or not owns_lease(batch, token) then
  return 0
end
local plan, deltas, unsent = redis.call('HGET', batch, 'plan'), {}, 0
for index = 0, #plan - 1 do
  -- Before a resend the link was sent already, whatever became of the last message.
  local started = redis.call('HEXISTS', earlier_key(serial, number), index) == 1
  local deliveries = load_deliveries(c, ledger, plan, index)
  tally(deltas, deliveries, -1)
  for _, d in ipairs(deliveries) do
    if d.status == 'p' or d.status == 'u' or d.status == 'i' then
      started = started or d.attempt > 0
      if d.status == 'p' then
        d.status, d.code = 'k', 'cancelled'
      end
    else
      started = true
    end
  end
  tally(deltas, deliveries, 1)
  unsent = unsent + (started and 0 or 1)
  redis.call('HSET', ledger, index, format(deliveries))
end
local got = redis.call('HMGET', batch, 'tf', 'spare', 'oid', 'missing')
if got[1] and not got[2] then
  count(deltas, 'l:assigned', -unsent)
  count(deltas, 'l:spare', unsent)
elseif got[3] and not got[1] then
  local left = #plan - tonumber(got[4] or 0)
  redis.call('HSET', batch, 'missing', #plan)
  count(deltas, 'l:awaited', -left)
  count(deltas, 'l:missing', left)
end
move_batch(serial, number, 'cancelled', deltas)
if why ~= '' then
  redis.call('HSET', batch, 'note', why)
  count(deltas, 'n:' .. why, 1)
end
save_counts(c.key, deltas)
release(serial, number, nil, 0)
finish_if_done(c.key, serial, true)
return 1
