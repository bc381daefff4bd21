-- Replace the dead order of a held batch: the links that came stay with the first people; the others move,
-- in their order, to a new batch, which workers order under its own PO number.
--
-- ARGV      serial, batch, number of the new batch; reason and time of the hold and sealed recipients, as
--           they were read; the recipients who stay and those who move, both sealed; how many stay; their
--           sealed links ('' if nobody stays) and the digests of these links, as one string; then bucket and digest of
--           the id of everybody who moves ('' for an erased one)
--
-- Returns {'ok', new batch}; {'before', its number} if it was replaced already, which also answers a
-- repeated call; {'leased', ''} while a worker reads the order; or {'changed', ''} if anything is not
-- as it was read, or a link was seen in another batch. All but the first change nothing.

-- @include batch_key, campaign_facts, counters, digits, due_key, evidence_key, erased_in
-- @include ledger_key, links_index, links_key, lookup_key, move_batch, now_ms, recipients_key
-- @include release, reopen, resends_key

local serial, number, new, keep = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[9])
local batch, new_batch = batch_key(serial, number), batch_key(serial, new)
local found = redis.call('HMGET', batch, 'st', 'why', 'th', 'tf', 'into', 'tok', 'lu', 'plan')
if found[5] then
  return { 'before', found[5] }
end
local c, now = campaign_facts(serial), now_ms()
local facts = redis.call('HMGET', c.key, 'nb', 'bs')
if found[1] ~= 'held' or found[2] == 'uncertain' or found[4] or c.cancelled or c.purged
  or found[2] ~= ARGV[4] or found[3] ~= ARGV[5] or tonumber(facts[1]) ~= tonumber(new) - 1
  or redis.call('GET', recipients_key(serial, number)) ~= ARGV[6] then
  return { 'changed', '' }
end
if found[6] and tonumber(found[7] or 0) > now then
  return { 'leased', '' }
end
local owner, people = serial .. ':' .. number, 12
if seen_before(ARGV[11], owner) then
  return { 'changed', '' }
end

-- The links that came, as in links_received.lua.
remember_links(ARGV[11], owner)
if keep > 0 then
  redis.call('SET', links_key(serial, number), ARGV[10])
  redis.call('DEL', evidence_key(serial, number))
end

-- The people who move, with whatever the ledger holds of them.
redis.call('SET', recipients_key(serial, number), ARGV[7])
redis.call('SET', recipients_key(serial, new), ARGV[8])
local first, size = (new - 1) * facts[2], #found[8]
local before = (number - 1) * facts[2] + keep
for i = people, #ARGV, 2 do
  local bucket, moved = lookup_key(serial, ARGV[i]), (i - people) / 2
  if redis.call('HGET', bucket, ARGV[i + 1]) == digits(before + moved) then
    redis.call('HSET', bucket, ARGV[i + 1], digits(first + moved))
  end
end
for _, key in ipairs({ ledger_key, resends_key }) do
  for index = keep, size - 1 do
    local value = redis.call('HGET', key(serial, number), index)
    if value then
      redis.call('HSET', key(serial, new), digits(index - keep), value)
      redis.call('HDEL', key(serial, number), index)
    end
  end
end
local stayed, left = {}, {}
for index, at in pairs((erased_in(batch))) do
  local goes = index >= keep
  local part = goes and left or stayed
  part[#part + 1] = digits(goes and index - keep or index) .. ':' .. digits(at)
end
for key, part in pairs({ [batch] = stayed, [new_batch] = left }) do
  redis.call('HDEL', key, 'gone')
  if #part > 0 then
    redis.call('HSET', key, 'gone', table.concat(part, ' '))
  end
end
redis.call('HSET', new_batch, 'st', 'planned', 'plan', string.sub(found[8], keep + 1), 'from', number)
redis.call('ZADD', due_key(serial, 'o'), digits(now), new)
redis.call('HINCRBY', c.key, 'nb', 1)

-- The dead order still counts as ordered, and the links that did not come of it as missing.
local deltas = { ['b:planned'] = 1 }
if redis.call('HEXISTS', batch, 'oid') == 1 then
  local known = tonumber(redis.call('HGET', batch, 'missing') or 0)
  redis.call('HSET', batch, 'missing', size - keep)
  count(deltas, 'l:missing', size - keep - known)
  count(deltas, 'l:awaited', known - size)
  count(deltas, 'l:received', keep)
  count(deltas, 'l:assigned', keep)
end
redis.call('HSET', batch, 'plan', string.sub(found[8], 1, keep), 'qty', size, 'into', new,
  'dead', found[2], 'tr', digits(now))
redis.call('HDEL', batch, 'adopt', 'polls', 'polls:at', 'odd', 'odd:at', 'fails', 'fails:at')
if keep > 0 then
  redis.call('HSET', batch, 'tf', digits(now))
  move_batch(serial, number, 'fulfilled', deltas)
else
  redis.call('HSET', batch, 'note', 'reordered')
  count(deltas, 'n:reordered', 1)
  move_batch(serial, number, 'cancelled', deltas)
end
save_counts(c.key, deltas)
release(serial, number, keep > 0 and 's' or nil, 0)
reopen(c.key, serial)
return { 'ok', new }
