-- @include initial, parse

-- The deliveries of one person.
local function load(c, ledger, plan, index)
  local text = redis.call('HGET', ledger, index)
  if text then
    return parse(text)
  end
  return initial(c, plan, index)
end
