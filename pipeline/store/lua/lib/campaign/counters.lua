-- Changes of a campaign's counters are added up in `deltas` and written once, at the end of a verb.
local function count(deltas, name, by)
  deltas[name] = (deltas[name] or 0) + by
end

local function save_counts(campaign, deltas)
  for name, by in pairs(deltas) do
    if by ~= 0 then
      redis.call('HINCRBY', campaign, name, by)
    end
  end
end
