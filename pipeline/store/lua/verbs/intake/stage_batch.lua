-- Write one batch of recipients into a staging area. Nothing is ordered before the commit.
--
-- ARGV      campaign id, serial, nonce, ms after which a silent attempt lapses, batch number, plan,
--           sealed recipients, position of the first recipient, number of buckets, and the digests of
--           all their ids in one string, 9 bytes each
--
-- Returns 'ok', 'lost' if the staging area is no longer ours, or 'duplicate <i>' for the first
-- recipient (0-based) whose id stands in the campaign already. May be called again.

-- @include batch_key, digits, due_key, id_digest, lookup_key, now_ms, recipients_key, staging_key

local id, serial, nonce, lapse_ms, batch = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local first, buckets, digests = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local staging = redis.call('HGET', STAGING, id)
local mine = serial .. ' ' .. nonce .. ' '
if not staging or string.sub(staging, 1, #mine) ~= mine then
  return 'lost'
end
for i = 0, #digests / ID_DIGEST_BYTES - 1 do
  local digest = string.sub(digests, i * ID_DIGEST_BYTES + 1, (i + 1) * ID_DIGEST_BYTES)
  -- As `bucket_of` in store/lookups.py, which looks people up.
  local a, b, c, d = string.byte(digest, 1, 4)
  local bucket = lookup_key(serial, digits((((a * 256 + b) * 256 + c) * 256 + d) % buckets))
  local position = digits(first + i)
  if redis.call('HSETNX', bucket, digest, position) == 0
    and redis.call('HGET', bucket, digest) ~= position then
    return 'duplicate ' .. i
  end
end
redis.call('SET', recipients_key(serial, batch), ARGV[7])
redis.call('HSET', batch_key(serial, batch), 'st', 'planned', 'plan', ARGV[6])
redis.call('ZADD', due_key(serial, 'o'), 0, batch)
redis.call('HSET', STAGING, id, mine .. digits(now_ms() + tonumber(lapse_ms)))
return 'ok'
