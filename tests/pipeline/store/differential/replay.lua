-- Put in front of a script: what a server answers by its clock or by chance is the same every time.
--
-- The clock stands in fuzz:clock, keys never expire but are noted in fuzz:expiries, and hashes and sets
-- are read in the order of their fields. Every command is written down in fuzz:commands.

local server = redis
local clock = server.call('HMGET', 'fuzz:clock', 's', 'us')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local replayed = {}

function replayed.TIME()
  return clock
end

function replayed.SRANDMEMBER(key, number)
  local members, some = server.call('SMEMBERS', key), {}
  table.sort(members)
  for i = 1, math.min(#members, number) do
    some[i] = members[i]
  end
  return some
end

function replayed.PEXPIRE(key, ms)
  if server.call('EXISTS', key) == 0 then
    return 0
  end
  server.call('HSET', 'fuzz:expiries', key, string.format('%.0f', now + ms))
  return 1
end

function replayed.EXPIRE(key, seconds)
  return replayed.PEXPIRE(key, seconds * 1000)
end

function replayed.PTTL(key)
  if server.call('EXISTS', key) == 0 then
    return -2
  end
  local at = server.call('HGET', 'fuzz:expiries', key)
  return at and at - now or -1
end

function replayed.SET(key, value, ...)
  local options = { ... }
  local new, milliseconds, keeps = false, nil, false
  for i, option in ipairs(options) do
    new = new or option == 'NX'
    keeps = keeps or option == 'KEEPTTL'
    milliseconds = option == 'PX' and options[i + 1] or milliseconds
  end
  if new and server.call('EXISTS', key) == 1 then
    return false
  end
  local reply = server.call('SET', key, value)
  if milliseconds then
    replayed.PEXPIRE(key, milliseconds)
  elseif not keeps then
    server.call('HDEL', 'fuzz:expiries', key)
  end
  return reply
end

function replayed.DEL(...)
  server.call('HDEL', 'fuzz:expiries', ...)
  return server.call('DEL', ...)
end

function replayed.HGETALL(key)
  local fields, pairs_in_order = server.call('HKEYS', key), {}
  table.sort(fields)
  for _, field in ipairs(fields) do
    pairs_in_order[#pairs_in_order + 1] = field
    pairs_in_order[#pairs_in_order + 1] = server.call('HGET', key, field)
  end
  return pairs_in_order
end

function replayed.HKEYS(key)
  local fields = server.call('HKEYS', key)
  table.sort(fields)
  return fields
end

local redis = { call = function(command, ...)
  if command ~= 'TIME' then
    server.call('RPUSH', 'fuzz:commands', table.concat({ command, ... }, ' '))
  end
  return (replayed[command] or function(...) return server.call(command, ...) end)(...)
end }

