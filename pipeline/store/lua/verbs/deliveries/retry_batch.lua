-- Give the people of one batch whom no channel reached another chance, with the same link.
--
-- ARGV      serial, batch, '1' to retry failed and bounced deliveries, '1' to send uncertain ones
--           again, '1' to move a held batch on, '1' to adopt the order found under its PO number;
--           JSON: failed and bounced deliveries to leave as they are, as their addresses are on the
--           suppression list, each "<index><channel letter><generation>"
--
-- Returns {deliveries made pending, 1 if a held batch was moved}, or {-1, 0} if its data was purged.
-- Suppressed people are left alone, and so are those who were forgotten.
-- In mode "first" the first channel is tried again; later ones wait for it to fail.

-- @include batch_key, campaign_facts, counters, digits, forgotten_in, format, lanes, ledger_key
-- @include load, move_batch, now_ms, person, release, reopen, tally

local serial, number = ARGV[1], ARGV[2]
local failed, uncertain, held, adopt = ARGV[3] == '1', ARGV[4] == '1', ARGV[5] == '1', ARGV[6] == '1'
local barred = {}
for _, delivery in ipairs(cjson.decode(ARGV[7])) do
  barred[delivery] = true
end
local batch, ledger = batch_key(serial, number), ledger_key(serial, number)
local c, deltas, moved, freed, left = campaign_facts(serial), {}, 0, 0, 0
local state = redis.call('HMGET', batch, 'st', 'plan', 'tf', 'oid', 'why')
if c.purged then
  return { -1, 0 }
end
if not state[1] or c.cancelled then
  return { 0, 0 }
end

local function wanted(index, d)
  if failed and (d.status == 'f' or d.status == 'b') then
    return not barred[index .. d.channel .. d.generation]
  end
  return uncertain and d.status == 'u'
end

if state[3] and (failed or uncertain) then
  local gone = forgotten_in(batch)
  for index = 0, #state[2] - 1 do
    local deliveries = load(c, ledger, state[2], index)
    if gone[index] then
      -- There is nobody to send it to.
    elseif person(deliveries) == 'p:not_reached' or uncertain then
      tally(deltas, deliveries, -1)
      local before, doubts = moved, left
      for _, d in ipairs(deliveries) do
        if d.status == 'u' and uncertain and person(deliveries) == 'p:reached' then
          -- Another channel reached them: nobody is asked again, and nothing is sent.
          d.status, d.code = 'k', 'superseded'
          left = left + 1
        elseif wanted(index, d) and person(deliveries) ~= 'p:reached' then
          if c.mode == 'first' and moved > before then
            d.status, d.code, d.tries = 'k', 'retry', 0
          else
            -- The code tells record.lua that bad news about this attempt is old news.
            d.code = d.status == 'u' and '' or 'retry'
            d.status, d.tries, d.after = 'p', 0, 0
            moved = moved + 1
          end
        end
      end
      tally(deltas, deliveries, 1)
      if moved > before or left > doubts then
        redis.call('HSET', ledger, index, format(deliveries))
      end
    end
  end
end

local leased = redis.call('HEXISTS', batch, 'tok') == 1
local changed, doubtful = moved + left > 0, state[1] == 'held' and state[5] == 'uncertain'
if (moved > 0 and state[1] == 'done') or (changed and doubtful) then
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
  local to = state[3] and 'fulfilled' or state[4] and 'ordered' or 'planned'
  if not state[3] then
    -- With links there, what is missing is what a dead order did not give, and stays so.
    local missing = tonumber(redis.call('HGET', batch, 'missing') or 0)
    redis.call('HDEL', batch, 'missing')
    count(deltas, 'l:missing', -missing)
    count(deltas, 'l:awaited', missing)
  end
  move_batch(serial, number, to, deltas)
  release(serial, number, LANE[to], 0)
  freed = 1
end
save_counts(c.key, deltas)
if moved + left > 0 or freed > 0 then
  reopen(c.key, serial)
end
return { moved + left, freed }
