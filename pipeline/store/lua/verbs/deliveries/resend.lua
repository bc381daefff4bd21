-- Give one person the same link once more: one channel's message under its next resend number.
--
-- ARGV      serial, batch, index, channel letter, the new resend number, the ledger field as the
--           caller saw it ('' for none), and the sealed resends of this person with the new one
--
-- What the person had over this channel is kept beside the ledger, where late facts about it go. In
-- mode "first" the other channels wait: a pending one until this one fails, one whose message
-- may have arrived for good. Once the link is there the batch becomes due and the campaign is open.
-- Returns 'ok' (also when repeated), 'cancelled', 'gone' (purged or erased), or 'changed' if the
-- ledger field is not as the caller saw it; then nothing was changed.

-- @include batch_key, campaign_facts, counters, earlier_key, erased_in, format, new_delivery
-- @include ledger_key, load_deliveries, move_batch, release, reopen, resends_key, tally

local serial, number, index, letter = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local batch, ledger = batch_key(serial, number), ledger_key(serial, number)
local earlier, history = earlier_key(serial, number), resends_key(serial, number)
local c, deltas = campaign_facts(serial), {}
local found = redis.call('HMGET', batch, 'st', 'plan', 'tf', 'tok', 'why')
local state, plan = found[1], found[2]
if redis.call('HGET', history, index) == ARGV[7] then
  return 'ok'
elseif c.cancelled then
  return 'cancelled'
elseif c.purged or erased_in(batch)[index] then
  return 'gone'
elseif not plan or index >= #plan or (redis.call('HGET', ledger, index) or '') ~= ARGV[6] then
  return 'changed'
end

local function plan_with_channel()
  local bit = 2 ^ (string.find(c.channels, letter, 1, true) - 1)
  local mask = string.byte(plan, index + 1) - 48
  if math.floor(mask / bit) % 2 == 1 then
    return plan
  end
  return string.sub(plan, 1, index) .. string.char(48 + mask + bit) .. string.sub(plan, index + 2)
end

local function archive(d)
  if d.attempt > 0 then
    if d.status == 'p' then
      d.status, d.code = 'k', 'readdressed'
    end
    local text = redis.call('HGET', earlier, index)
    redis.call('HSET', earlier, index, (text and text .. ';' or '') .. format({ d }))
  end
end

local function set_aside(d)
  if d.status == 'p' then
    d.status, d.code, d.tries = 'k', 'retry', 0
  elseif d.status == 'u' then
    d.status, d.code = 'k', 'superseded'
  end
end

local deliveries, position = load_deliveries(c, ledger, plan, index), nil
tally(deltas, deliveries, -1)
for i, d in ipairs(deliveries) do
  if d.channel == letter then
    position = i
    archive(d)
  elseif c.mode == 'first' then
    set_aside(d)
  end
end
local resent = new_delivery(letter)
resent.resend_number = tonumber(ARGV[5])
deliveries[position or #deliveries + 1] = resent
tally(deltas, deliveries, 1)
redis.call('HSET', ledger, index, format(deliveries))
redis.call('HSET', history, index, ARGV[7])
redis.call('HSET', batch, 'plan', plan_with_channel())

if found[3] then
  local held = state == 'held' and found[5] ~= 'uncertain'  -- then the message waits until the hold ends
  if state ~= 'fulfilled' and not held then
    move_batch(serial, number, 'fulfilled', deltas)
  end
  if found[4] then
    redis.call('HSET', batch, 'wake', '1')
  elseif not held then
    release(serial, number, 's', 0)
  end
  reopen(c.key, serial)
end
save_counts(c.key, deltas)
return 'ok'
