-- @include links_index_key

-- The index of all links that ever came; callers name links by their digests, several in one string. Its
-- Python side is `link_place` in store/lookups.py.
local LINK_BUCKETS, LINK_DIGEST_BYTES = 4096, 12

-- Where link k (0-based) stands: key and field.
local function link_place(digests, k)
  local at = LINK_DIGEST_BYTES * k + 1
  local high, low = string.byte(digests, at, at + 1)
  local bucket = (high * 256 + low) % LINK_BUCKETS
  return links_index_key(bucket), string.sub(digests, at + 2, at + LINK_DIGEST_BYTES - 1)
end

-- The first link (0-based) that was seen in another batch of any campaign; nil if none was.
local function seen_before(digests, owner)
  for k = 0, #digests / LINK_DIGEST_BYTES - 1 do
    local bucket, field = link_place(digests, k)
    local seen = redis.call('HGET', bucket, field)
    if seen and seen ~= owner then
      return k
    end
  end
end

-- Note which batch owns these links: `owner` is "<serial>:<batch>".
local function remember_links(digests, owner)
  for k = 0, #digests / LINK_DIGEST_BYTES - 1 do
    local bucket, field = link_place(digests, k)
    redis.call('HSET', bucket, field, owner)
  end
end
