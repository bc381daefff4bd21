-- Erase one person from a batch: their row, their link, their resends, and every way to send to them.
-- The ledger's records, counters and digests stay; so does what was paid.
--
-- ARGV      serial, batch, index, sealed recipients as they were read, sealed recipients without the
--           person, sealed links as they were read ('' for none), sealed links without theirs
--
-- Returns {'forgotten', when in ms, 1 if a message may be on its way}; {'before', when, same} if the
-- person was erased already, which also answers a repeated call; {'purged'} if nothing of anybody is left; or
-- {'changed'} if a blob is not what was read, with nothing changed.

-- @include batch_key, campaign_facts, close_erased, counters, digits, due_key, earlier_key
-- @include evidence_key, erased_in, format, ledger_key, links_key, load_deliveries, move_batch, now_ms
-- @include recipients_key, release, resends_key, tally

local serial, number, index = ARGV[1], ARGV[2], tonumber(ARGV[3])
local batch, ledger = batch_key(serial, number), ledger_key(serial, number)
local c, plan, now = campaign_facts(serial), redis.call('HGET', batch, 'plan'), now_ms()
local rows, links = recipients_key(serial, number), links_key(serial, number)
if not plan or index >= #plan then
  return { 'changed' }
end

local function on_its_way(deliveries)
  for _, d in ipairs(deliveries) do
    if d.status == 'i' then
      return 1
    end
  end
  return 0
end

local deliveries, erased = load_deliveries(c, ledger, plan, index), erased_in(batch)
if erased[index] then
  return { 'before', digits(erased[index]), on_its_way(deliveries) }
end
if c.purged then
  return { 'purged' }
end
if redis.call('GET', rows) ~= ARGV[4] or (redis.call('GET', links) or '') ~= ARGV[6] then
  return { 'changed' }
end

redis.call('SET', rows, ARGV[5])
if ARGV[6] ~= '' then
  redis.call('SET', links, ARGV[7])
end
redis.call('DEL', evidence_key(serial, number))
redis.call('HDEL', resends_key(serial, number), index)
local others = redis.call('HGET', batch, 'gone')
redis.call('HSET', batch, 'gone', (others and others .. ' ' or '') .. index .. ':' .. digits(now))

-- A spare link must not be handed out any more: it stays this person's, unused.
local function was_spare()
  if redis.call('HEXISTS', earlier_key(serial, number), index) == 1 then
    return false
  end
  for _, d in ipairs(deliveries) do
    if d.code ~= 'cancelled' or d.attempt > 0 then
      return false
    end
  end
  return true
end

local deltas = {}
local found = redis.call('HMGET', batch, 'st', 'why', 'tok', 'tf', 'spare')
if found[4] and (found[5] or was_spare()) then
  count(deltas, 'l:spare', -1)
  count(deltas, 'l:assigned', 1)
end
tally(deltas, deliveries, -1)
close_erased(deliveries)
tally(deltas, deliveries, 1)
redis.call('HSET', ledger, index, format(deliveries))
if found[1] == 'held' and found[2] == 'uncertain' and not c.cancelled then
  -- Perhaps this person was the only reason of the hold; a worker checks.
  move_batch(serial, number, 'fulfilled', deltas)
  release(serial, number, 's', 0)
elseif found[1] == 'fulfilled' and not found[3] then
  redis.call('ZADD', due_key(serial, 's'), 'LT', digits(now), number)
end
save_counts(c.key, deltas)
return { 'forgotten', digits(now), on_its_way(deliveries) }
