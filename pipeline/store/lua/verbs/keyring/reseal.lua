-- Replace sealed blobs by the same ones under another key, each only if it still is what was read.
--
-- ARGV      for every blob: key, field ('' if the blob is the whole value), the last 32 bytes of the
--           blob that was read, the blob under the other key
--
-- The last 32 bytes are the blob's MAC, which covers its random IV: no two blobs share it. So what
-- was written, changed or removed meanwhile stays as it is. A time to live is kept.
-- Returns how many were replaced. Safe to repeat.

local replaced = 0
for i = 1, #ARGV, 4 do
  local key, field, mark = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if field == '' then
    if redis.call('GETRANGE', key, -32, -1) == mark then
      redis.call('SET', key, ARGV[i + 3], 'KEEPTTL')
      replaced = replaced + 1
    end
  else
    local blob = redis.call('HGET', key, field)
    if blob and string.sub(blob, -32) == mark then
      redis.call('HSET', key, field, ARGV[i + 3])
      replaced = replaced + 1
    end
  end
end
return replaced
