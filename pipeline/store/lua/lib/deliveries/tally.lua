-- @include counters, person

-- The statuses in words, as the counters are named.
local STATUS = {
  p = 'pending', i = 'sending', u = 'uncertain', s = 'sent', d = 'delivered', b = 'bounced',
  f = 'failed', x = 'suppressed', k = 'skipped',
}

-- The names of the counters, each put together once.
local function named(name_of)
  return setmetatable({}, { __index = function(known, key)
    known[key] = name_of(key)
    return known[key]
  end })
end

local TOTAL = named(function(status) return 'd:' .. STATUS[status] end)

local BY_CHANNEL = named(function(channel)
  return named(function(status) return 'c:' .. channel .. ':' .. STATUS[status] end)
end)

-- Count somebody's deliveries (`by` 1), or no longer (-1).
local function tally(deltas, deliveries, by)
  for _, d in ipairs(deliveries) do
    count(deltas, TOTAL[d.status], by)
    if d.status == 'u' and d.code == 'forgotten' then
      count(deltas, 'd:uncertain:forgotten', by)
    end
    if d.status ~= 'p' then
      -- By channel only what was tried: what is planned may never need its channel.
      count(deltas, BY_CHANNEL[d.channel][d.status], by)
    end
  end
  count(deltas, person(deliveries), by)
end
