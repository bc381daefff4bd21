-- @include format, initial, parse

-- The deliveries of several people at once: {[index] = deliveries}. No index may stand there twice.
local function load_all(c, ledger, plan, indexes)
  local found = {}
  local texts = #indexes > 0 and redis.call('HMGET', ledger, unpack(indexes)) or {}
  for i, text in ipairs(texts) do
    local index = indexes[i]
    found[index] = text and parse(text) or initial(c, plan, index)
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
