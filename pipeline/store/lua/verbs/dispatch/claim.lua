-- Take a batch for one worker, if nobody else holds it and it is still this job's turn.
--
-- ARGV      serial, batch, lane, turn, nonce of this claim, lease in ms
--
-- Returns nothing if it may not be taken; else {token, campaign id, cancelled ('0', '1'), version, epoch of the
-- campaign, now, flat batch hash, flat ledger}. A repeated call (the reply was lost)
-- returns the same grant; a job that runs again after its work does not, as a turn is used up by its
-- claim. What a dead worker left in flight becomes uncertain here; a batch that killed one worker
-- after the other is held instead of given to one more.

-- @include batch_key, begun_key, campaign_facts, close_off, counters, digits, due_key
-- @include forgotten_in, format, ledger_key, move_batch, now_ms, parse, release, tally

-- A batch that this many workers in a row died of is given to nobody. From SUSPECT_DEATHS on (pump.lua) they had
-- nothing else, so it was not another batch that they died of. Whatever moves it on starts the count anew.
local MOST_DEATHS = 5

local serial, number, lane, turn, nonce = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local lease = tonumber(ARGV[6])
local batch = batch_key(serial, number)
local now, deaths, deltas = now_ms(), 0, {}

local held = redis.call('HMGET', batch, 'st', 'tok', 'lu', 'turn')
local state, token, until_ms = held[1], held[2], tonumber(held[3] or 0)
if not state or not redis.call('ZSCORE', due_key(serial, lane), number) then
  return false
end
local c = campaign_facts(serial)
if not c.t0 or c.purged then
  return false
end
if c.paused and not c.cancelled then
  if held[4] == turn and not token then
    -- Dispatched before the pause: it must not wait out its dispatch once the pause is over.
    redis.call('ZADD', due_key(serial, lane), digits(now), number)
  end
  return false
end

if token and string.match(token, ':(.*)$') == nonce then
  redis.call('HSET', batch, 'lu', digits(now + lease))
else
  if held[4] ~= turn or (token and until_ms > now) then
    return false
  end
  if token then
    deaths = redis.call('HINCRBY', batch, 'deaths', 1)
    local died = redis.call('HGET', batch, 'died')
    redis.call('HSET', batch, 'died', (deaths > 1 and died and died .. ' ' or '') .. lane .. digits(now))
  end
  token = redis.call('HINCRBY', batch, 'fence', 1) .. ':' .. nonce
  redis.call('HSET', batch, 'tok', token, 'lu', digits(now + lease))
  redis.call('SADD', begun_key(serial), number)
  redis.call('HINCRBY', batch, 'turn', 1)
end
redis.call('ZADD', due_key(serial, lane), digits(now + lease), number)

local ledger = ledger_key(serial, number)
if lane == 's' then
  local gone = forgotten_in(batch)
  local fields = redis.call('HGETALL', ledger)
  for i = 1, #fields, 2 do
    if string.find(fields[i + 1], 'i', 1, true) then
      local deliveries = parse(fields[i + 1])
      local before = deliveries
      tally(deltas, before, -1)
      for _, d in ipairs(deliveries) do
        if d.status == 'i' then
          d.status, d.after, d.code = 'u', math.max(0, now - c.t0 - d.at), 'worker_lost'
        end
      end
      if gone[tonumber(fields[i])] then
        close_off(deliveries)
      end
      tally(deltas, deliveries, 1)
      redis.call('HSET', ledger, fields[i], format(deliveries))
    end
  end
end
local poisonous = deaths >= MOST_DEATHS and not c.cancelled
if poisonous then
  move_batch(serial, number, 'held', deltas, 'worker_deaths')
  redis.call('HSET', batch, 'th', digits(now))
  release(serial, number, 'h', 0)
end
save_counts(c.key, deltas)
if poisonous then
  return false
end
return {
  token, redis.call('HGET', c.key, 'id'), c.cancelled and '1' or '0', redis.call('HGET', c.key, 'ver') or '1',
  digits(c.t0), digits(now),
  redis.call('HGETALL', batch), redis.call('HGETALL', ledger),
}
