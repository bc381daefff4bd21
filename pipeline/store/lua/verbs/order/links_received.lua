-- Store the links of a batch; in the same step link k becomes recipient k's.
--
-- ARGV      serial, batch, token, sealed links (nothing in the places of those who were forgotten), how
--           many were, and the digests of all links, in order, as one string
--
-- Returns 'stale', 'ok', or 'seen <k>' (0-based) if a link was seen in an earlier batch of any
-- campaign, or 'forgotten' if somebody was forgotten meanwhile; then nothing is stored. In a
-- cancelled campaign the links are spare, but for those of people who were forgotten.

-- @include batch_key, campaign_facts, counters, digits, evidence_key, forgotten_in, holds
-- @include links_index, links_key, move_batch, now_ms, release, size_of

local serial, number, token = ARGV[1], ARGV[2], ARGV[3]
local batch = batch_key(serial, number)
if not holds(batch, token) then
  return 'stale'
end
local _, forgotten = forgotten_in(batch)
if forgotten ~= tonumber(ARGV[5]) then
  return 'forgotten'
end
local owner = serial .. ':' .. number
local seen = seen_before(ARGV[6], owner)
if seen then
  return 'seen ' .. seen
end
remember_links(ARGV[6], owner)
redis.call('SET', links_key(serial, number), ARGV[4])
redis.call('DEL', evidence_key(serial, number))

local c, deltas, size = campaign_facts(serial), {}, size_of(batch)
local missing = tonumber(redis.call('HGET', batch, 'missing') or 0)
redis.call('HDEL', batch, 'missing', 'polls', 'polls:at', 'odd', 'odd:at', 'fails', 'fails:at')
redis.call('HSET', batch, 'tf', digits(now_ms()))
count(deltas, 'l:missing', -missing)
count(deltas, 'l:awaited', missing - size)
count(deltas, 'l:received', size)
local spare = c.cancelled and size - forgotten or 0
count(deltas, 'l:spare', spare)
count(deltas, 'l:assigned', size - spare)
move_batch(serial, number, 'fulfilled', deltas)
save_counts(c.key, deltas)
if c.cancelled then
  redis.call('HSET', batch, 'spare', '1')
end
release(serial, number, 's', 0)
return 'ok'
