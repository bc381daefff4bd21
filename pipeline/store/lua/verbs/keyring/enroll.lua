-- Note that a process is alive, which seals with the first of its keys and opens with all of them.
--
-- ARGV      fingerprints of its keys in their order, joined by ',' (a ring); a nonce that names the
--           process; ms after which one that was not heard of is struck off; the format that it
--           writes (stored_format.py)
--
-- Returns the format of what is stored. If that is newer than the process's own, nothing was noted;
-- else the process may write its own from here on, and the data is marked so. To be repeated for as
-- long as the process lives. The ring stays when it has ended.

-- @include digits, keyring_key, live_processes_key, now_ms

local stored = redis.call('HGET', KEYRING, 'format')
if stored and tonumber(stored) > tonumber(ARGV[4]) then
  return tonumber(stored)
elseif stored ~= ARGV[4] then
  redis.call('HSET', KEYRING, 'format', ARGV[4])
end
redis.call('HSETNX', KEYRING, 'ring:' .. ARGV[1], digits(now_ms()))
local processes = redis.call('HGETALL', LIVE_PROCESSES)
for i = 1, #processes, 2 do
  if tonumber(string.match(processes[i + 1], '%d+$')) < now_ms() - tonumber(ARGV[3]) then
    redis.call('HDEL', LIVE_PROCESSES, processes[i])
  end
end
redis.call('HSET', LIVE_PROCESSES, ARGV[2], ARGV[1] .. ' ' .. digits(now_ms()))
return tonumber(ARGV[4])
