-- Lease a batch to one worker, if no other has the lease and the job's dispatch number is the latest.
--
-- ARGV      serial, batch, lane, dispatch number, nonce of this claim, lease in ms
--
-- Returns nothing if it may not be claimed; else {token, campaign id, cancelled ('0', '1'), version, epoch
-- of the campaign, now, flat batch hash, flat ledger}. A repeated call (the reply was lost) returns the same
-- grant; a job that runs again after its work gets none, as its claim used the dispatch number up. What a
-- dead worker left in flight becomes uncertain here; a poison batch, which killed one worker after the
-- other, is held.

-- @include batch_key, begun_key, campaign_facts, close_erased, counters, digits, due_key
-- @include erased_in, format, ledger_key, move_batch, now_ms, parse, release, tally

-- A batch that this many workers in a row died of is held. From QUARANTINE_DEATHS on (pump.lua) they ran
-- nothing else, so no other batch killed them. Any progress starts the count anew.
local HOLD_DEATHS = 5

local serial, number, lane, dispatch_number, nonce = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local lease_ms = tonumber(ARGV[6])
local batch = batch_key(serial, number)
local now, deaths, deltas = now_ms(), 0, {}

local owner = redis.call('HMGET', batch, 'st', 'tok', 'lu', 'turn')
local state, token, until_ms = owner[1], owner[2], tonumber(owner[3] or 0)
if not state or not redis.call('ZSCORE', due_key(serial, lane), number) then
  return false
end
local c = campaign_facts(serial)
if not c.t0 or c.purged then
  return false
end
if c.paused and not c.cancelled then
  if owner[4] == dispatch_number and not token then
    -- Dispatched before the pause: once that is over it must not wait until its dispatch lapses.
    redis.call('ZADD', due_key(serial, lane), digits(now), number)
  end
  return false
end

if token and string.match(token, ':(.*)$') == nonce then
  redis.call('HSET', batch, 'lu', digits(now + lease_ms))
else
  if owner[4] ~= dispatch_number or (token and until_ms > now) then
    return false
  end
  if token then
    deaths = redis.call('HINCRBY', batch, 'deaths', 1)
    local died = redis.call('HGET', batch, 'died')
    redis.call('HSET', batch, 'died', (deaths > 1 and died and died .. ' ' or '') .. lane .. digits(now))
  end
  token = redis.call('HINCRBY', batch, 'fence', 1) .. ':' .. nonce
  redis.call('HSET', batch, 'tok', token, 'lu', digits(now + lease_ms))
  redis.call('SADD', begun_key(serial), number)
  redis.call('HINCRBY', batch, 'turn', 1)
end
redis.call('ZADD', due_key(serial, lane), digits(now + lease_ms), number)

local ledger = ledger_key(serial, number)
if lane == 's' then
  local erased = erased_in(batch)
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
      if erased[tonumber(fields[i])] then
        close_erased(deliveries)
      end
      tally(deltas, deliveries, 1)
      redis.call('HSET', ledger, fields[i], format(deliveries))
    end
  end
end
local is_poison = deaths >= HOLD_DEATHS and not c.cancelled
if is_poison then
  move_batch(serial, number, 'held', deltas, 'worker_deaths')
  redis.call('HSET', batch, 'th', digits(now))
  release(serial, number, 'h', 0)
end
save_counts(c.key, deltas)
if is_poison then
  return false
end
return {
  token, redis.call('HGET', c.key, 'id'), c.cancelled and '1' or '0', redis.call('HGET', c.key, 'ver') or '1',
  digits(c.t0), digits(now),
  redis.call('HGETALL', batch), redis.call('HGETALL', ledger),
}
