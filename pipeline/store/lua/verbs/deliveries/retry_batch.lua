-- Give the people of one batch whom no channel reached another chance, with the same link.
--
-- ARGV      serial, batch, '1' to retry failed and bounced deliveries, '1' to send uncertain ones
--           again, '1' to move a held batch on, '1' to adopt the order found under its PO number;
--           JSON: failed and bounced deliveries to leave as they are, as their addresses are on the
--           suppression list, each "<index><channel letter><resend number>"
--
-- Returns {deliveries made pending, 1 if a held batch was moved}, or {-1, 0} if its data was purged.
-- Suppressed people stay as they are, and so do those who were erased.
-- In mode "first" the first channel is tried again; later ones wait for it to fail.

-- @include batch_key, campaign_facts, counters, digits, erased_in, format, lanes, ledger_key
-- @include load_deliveries, move_batch, now_ms, person_counter, release, reopen, tally

local serial, number = ARGV[1], ARGV[2]
local failed, uncertain, held, adopt = ARGV[3] == '1', ARGV[4] == '1', ARGV[5] == '1', ARGV[6] == '1'
local suppressed = {}
for _, delivery in ipairs(cjson.decode(ARGV[7])) do
  suppressed[delivery] = true
end
local batch, ledger = batch_key(serial, number), ledger_key(serial, number)
local c, deltas, retried, unheld, superseded = campaign_facts(serial), {}, 0, 0, 0
local state = redis.call('HMGET', batch, 'st', 'plan', 'tf', 'oid', 'why')
if c.purged then
  return { -1, 0 }
end
if not state[1] or c.cancelled then
  return { 0, 0 }
end

local function is_selected(index, d)
  if failed and (d.status == 'f' or d.status == 'b') then
    return not suppressed[index .. d.channel .. d.resend_number]
  end
  return uncertain and d.status == 'u'
end

if state[3] and (failed or uncertain) then
  local erased = erased_in(batch)
  for index = 0, #state[2] - 1 do
    local deliveries = load_deliveries(c, ledger, state[2], index)
    if erased[index] then
      -- There is no address and no link any more.
    elseif person_counter(deliveries) == 'p:not_reached' or uncertain then
      tally(deltas, deliveries, -1)
      local retried_before, superseded_before = retried, superseded
      for _, d in ipairs(deliveries) do
        if d.status == 'u' and uncertain and person_counter(deliveries) == 'p:reached' then
          -- Another channel reached the person: nothing is sent, and nobody is asked to decide again.
          d.status, d.code = 'k', 'superseded'
          superseded = superseded + 1
        elseif is_selected(index, d) and person_counter(deliveries) ~= 'p:reached' then
          if c.mode == 'first' and retried > retried_before then
            d.status, d.code, d.tries = 'k', 'retry', 0
          else
            -- By this code record.lua ignores further failures of the same attempt.
            d.code = d.status == 'u' and '' or 'retry'
            d.status, d.tries, d.after = 'p', 0, 0
            retried = retried + 1
          end
        end
      end
      tally(deltas, deliveries, 1)
      if retried > retried_before or superseded > superseded_before then
        redis.call('HSET', ledger, index, format(deliveries))
      end
    end
  end
end

local leased = redis.call('HEXISTS', batch, 'tok') == 1
local changed, held_uncertain = retried + superseded > 0, state[1] == 'held' and state[5] == 'uncertain'
if (retried > 0 and state[1] == 'done') or (changed and held_uncertain) then
  move_batch(serial, number, 'fulfilled', deltas)
  release(serial, number, 's', 0)
elseif changed and state[1] == 'fulfilled' then
  redis.call('HSET', batch, 'wake', '1')
  if not leased then
    release(serial, number, 's', 0)
  end
elseif held and state[1] == 'held' and state[5] ~= 'uncertain' and not leased then
  if adopt then
    redis.call('HSET', batch, 'adopt', '1')
  end
  redis.call('HDEL', batch, 'odd', 'odd:at', 'fails', 'fails:at', 'polls', 'polls:at', 'deaths')
  if not state[3] then
    redis.call('HSET', batch, 'to', digits(now_ms()))
  end
  local target = state[3] and 'fulfilled' or state[4] and 'ordered' or 'planned'
  if not state[3] then
    -- Once there are links, the missing ones are those that a dead order did not give; they stay missing.
    local missing = tonumber(redis.call('HGET', batch, 'missing') or 0)
    redis.call('HDEL', batch, 'missing')
    count(deltas, 'l:missing', -missing)
    count(deltas, 'l:awaited', missing)
  end
  move_batch(serial, number, target, deltas)
  release(serial, number, LANE[target], 0)
  unheld = 1
end
save_counts(c.key, deltas)
if retried + superseded > 0 or unheld > 0 then
  reopen(c.key, serial)
end
return { retried + superseded, unheld }
