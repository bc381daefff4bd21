-- @include counters, person_counter

-- The statuses in words, as the counters are named.
local STATUS = {
  p = 'pending', i = 'sending', u = 'uncertain', s = 'sent', d = 'delivered', b = 'bounced',
  f = 'failed', x = 'suppressed', k = 'skipped',
}

-- A table of counter names that builds each name once.
local function memoized(name_of)
  return setmetatable({}, { __index = function(known, key)
    known[key] = name_of(key)
    return known[key]
  end })
end

local TOTAL = memoized(function(status) return 'd:' .. STATUS[status] end)

local BY_CHANNEL = memoized(function(channel)
  return memoized(function(status) return 'c:' .. channel .. ':' .. STATUS[status] end)
end)

-- Count the deliveries of one person (`by` 1), or take them off the counters (-1).
local function tally(deltas, deliveries, by)
  for _, d in ipairs(deliveries) do
    count(deltas, TOTAL[d.status], by)
    if d.status == 'u' and d.code == 'forgotten' then
      count(deltas, 'd:uncertain:forgotten', by)
    end
    if d.status ~= 'p' then
      -- By channel only what was tried: a pending delivery may never need its channel.
      count(deltas, BY_CHANNEL[d.channel][d.status], by)
    end
  end
  count(deltas, person_counter(deliveries), by)
end
