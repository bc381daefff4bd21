-- Store the links of a batch; in the same step link k becomes recipient k's.
--
-- ARGV      serial, batch, token, sealed links (an empty one in the place of each erased person), how
--           many were erased, and the digests of all links, in order, as one string
--
-- Returns 'stale', 'ok', or 'seen <k>' (0-based) if a link was seen in an earlier batch of any
-- campaign, or 'forgotten' if somebody was erased meanwhile; then nothing is stored. In a cancelled
-- campaign the links are spare, but for those of people who were erased.

-- @include batch_key, campaign_facts, counters, digits, evidence_key, erased_in, owns_lease
-- @include links_index, links_key, move_batch, now_ms, release, batch_size

local serial, number, token = ARGV[1], ARGV[2], ARGV[3]
local batch = batch_key(serial, number)
if not owns_lease(batch, token) then
  return 'stale'
end
local _, erased_count = erased_in(batch)
if erased_count ~= tonumber(ARGV[5]) then
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

local c, deltas, size = campaign_facts(serial), {}, batch_size(batch)
local missing = tonumber(redis.call('HGET', batch, 'missing') or 0)
redis.call('HDEL', batch, 'missing', 'polls', 'polls:at', 'odd', 'odd:at', 'fails', 'fails:at')
redis.call('HSET', batch, 'tf', digits(now_ms()))
count(deltas, 'l:missing', -missing)
count(deltas, 'l:awaited', missing - size)
count(deltas, 'l:received', size)
local spare = c.cancelled and size - erased_count or 0
count(deltas, 'l:spare', spare)
count(deltas, 'l:assigned', size - spare)
move_batch(serial, number, 'fulfilled', deltas)
save_counts(c.key, deltas)
if c.cancelled then
  redis.call('HSET', batch, 'spare', '1')
end
release(serial, number, 's', 0)
return 'ok'
