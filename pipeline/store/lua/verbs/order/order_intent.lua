-- Record, before the first POST, under which PO number and with which content a batch is ordered.
--
-- ARGV      serial, batch, token, PO number, payload hash, nonce of this POST
--
-- Returns {'stale'}; {'differs', PO, hash} if another PO or content was stored before (it is never
-- overwritten); or {'ok', POSTs recorded before this one}. A repeated call counts once.

-- @include batch_key, digits, owns_lease, now_ms

local batch = batch_key(ARGV[1], ARGV[2])
if not owns_lease(batch, ARGV[3]) then
  return { 'stale' }
end
local stored = redis.call('HMGET', batch, 'po', 'ph', 'posts', 'post')
if stored[1] and (stored[1] ~= ARGV[4] or stored[2] ~= ARGV[5]) then
  return { 'differs', stored[1], stored[2] }
end
local posts = tonumber(stored[3] or 0)
if stored[4] == ARGV[6] then
  return { 'ok', posts - 1 }
end
redis.call('HSET', batch, 'po', ARGV[4], 'ph', ARGV[5], 'posts', posts + 1, 'post', ARGV[6])
redis.call('HSETNX', batch, 'to', digits(now_ms()))
return { 'ok', posts }
