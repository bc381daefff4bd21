-- @include format, initial_deliveries, parse

-- The deliveries of several recipients at once: {[index] = deliveries}. `indexes` has each index once.
local function load_all(c, ledger, plan, indexes)
  local found = {}
  local texts = #indexes > 0 and redis.call('HMGET', ledger, unpack(indexes)) or {}
  for i, text in ipairs(texts) do
    local index = indexes[i]
    found[index] = text and parse(text) or initial_deliveries(c, plan, index)
  end
  return found
end

-- Write what was loaded; `touched` holds the indexes of those that changed.
local function save_all(ledger, loaded, touched)
  local fields = {}
  for index in pairs(touched) do
    fields[#fields + 1] = index
    fields[#fields + 1] = format(loaded[index])
  end
  if #fields > 0 then
    redis.call('HSET', ledger, unpack(fields))
  end
end
