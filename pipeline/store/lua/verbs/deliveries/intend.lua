-- Record, durably, that messages are about to be sent; only what is granted here may start.
--
-- ARGV      serial, batch, token, version that the messages are made from; JSON: [[index, channel letter,
--           resend number, last known attempt, and the key of a part of the suppression list if the
--           address is to be looked up there], …]; and the fields of those look-ups, in their order, 10
--           bytes each
--
-- Returns 'stale' if the lease is gone, 'halted' if the campaign is paused, cancelled or purged,
-- 'edited' if it has another version by now, else one attempt number per delivery (0: not granted,
-- also if the person was erased, or the message resent since, perhaps to another address). A
-- suppressed one is settled here, and the next channel becomes pending. A repeated call grants the
-- same attempts again.

-- @include batch_key, campaign_facts, counters, digits, fall_back, erased_in, owns_lease
-- @include ledger_key, load_all, now_ms, auto_resends, suppression_field, tally

-- Whether an address is on the list because the provider refused it, not because its owner asked.
local OPT_OUT = 'twilio_21610'
local function is_dead(why)
  return why ~= OPT_OUT and string.find(why, '^%l+_%d') ~= nil
end

local serial, number, token = ARGV[1], ARGV[2], ARGV[3]
local batch = batch_key(serial, number)
if not owns_lease(batch, token) then
  return 'stale'
end
local c = campaign_facts(serial)
if c.paused or c.cancelled or c.purged then
  return 'halted'
end
local version, last = unpack(redis.call('HMGET', c.key, 'ver', 'last'))
if version ~= ARGV[4] then
  return 'edited'
end
local ledger, plan = ledger_key(serial, number), redis.call('HGET', batch, 'plan')
local erased = erased_in(batch)
-- Never before its version began, even if the clock was set back: the time tells the version.
local since = tonumber(redis.call('HGET', c.key, 'ver:' .. version) or 0)
local now, deltas, granted = math.max(now_ms(), since), {}, {}
redis.call('HSET', c.key, 'last', digits(math.max(now, tonumber(last or 0))))
local requests, indexes, listed = cjson.decode(ARGV[5]), {}, {}
for _, request in ipairs(requests) do
  local index = request[1]
  if not listed[index] and not erased[index] then
    listed[index] = true
    indexes[#indexes + 1] = index
  end
end
local loaded, changes, lookups = load_all(c, ledger, plan, indexes), {}, 0
for _, request in ipairs(requests) do
  local index, letter, resend_number, known_attempt, list =
    request[1], request[2], request[3], request[4], request[5]
  local deliveries, attempt, field = loaded[index] or {}, 0, nil
  if list then
    field = string.sub(
      ARGV[6], lookups * SUPPRESSION_FIELD_BYTES + 1, (lookups + 1) * SUPPRESSION_FIELD_BYTES)
    lookups = lookups + 1
  end
  for _, d in ipairs(deliveries) do
    if d.channel == letter and d.resend_number == resend_number then
      if d.status == 'i' and d.attempt == known_attempt + 1 then
        attempt = d.attempt
      elseif d.attempt == known_attempt and (d.status == 'p' or auto_resends(c, d)) then
        tally(deltas, deliveries, -1)
        local doubtful = d.status == 'u'
        local why = list and redis.call('HGET', list, field)
        if why then
          if doubtful then
            -- It may have arrived (how else did they unsubscribe?): no repeat, and no other channel.
            d.code = 'unconfirmed'
          elseif d.code == 'retry' and is_dead(why) then
            -- Tried once, and refused for good: a retry does not turn that into an unsubscription.
            d.status, d.code = 'f', why
          else
            d.status, d.code = 'x', 'suppressed'
          end
          if not doubtful and c.mode == 'first' then
            fall_back(c, deliveries, plan, index)
          end
        else
          attempt = known_attempt + 1
          d.status, d.attempt = 'i', attempt
          d.at, d.after, d.code = math.max(0, now - c.t0), 0, ''
        end
        tally(deltas, deliveries, 1)
        changes[index] = true
        break
      end
    end
  end
  granted[#granted + 1] = attempt
end
save_all(ledger, loaded, changes)
save_counts(c.key, deltas)
return granted
