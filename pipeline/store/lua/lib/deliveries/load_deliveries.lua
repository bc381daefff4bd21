-- @include initial_deliveries, parse

-- The deliveries of one recipient.
local function load_deliveries(c, ledger, plan, index)
  local text = redis.call('HGET', ledger, index)
  if text then
    return parse(text)
  end
  return initial_deliveries(c, plan, index)
end
