-- Remove the rings that seal with another key, once nothing is sealed with it any more.
--
-- ARGV      fingerprint of the key that seals from now on, ms of silence after which a process is dead
--
-- Returns how many were removed. Rings of living processes stay. Safe to repeat.

-- @include keyring_key, live_processes_key, now_ms

local living, removed = {}, 0
local processes = redis.call('HGETALL', LIVE_PROCESSES)
for i = 1, #processes, 2 do
  local ring, seen = string.match(processes[i + 1], '^(%S+) (%d+)$')
  if tonumber(seen) > now_ms() - tonumber(ARGV[2]) then
    living['ring:' .. ring] = true
  end
end
for _, field in ipairs(redis.call('HKEYS', KEYRING)) do
  local first = string.match(field, '^ring:([^,]*)')
  if first and first ~= ARGV[1] and not living[field] then
    removed = removed + redis.call('HDEL', KEYRING, field)
  end
end
return removed
