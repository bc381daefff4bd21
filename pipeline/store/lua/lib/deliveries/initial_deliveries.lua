-- @include new_delivery, reachable

-- The deliveries of a recipient who has no field in the ledger yet.
local function initial_deliveries(c, plan, index)
  local letters = reachable(c, plan, index)
  if c.mode == 'all' then
    local deliveries = {}
    for i, letter in ipairs(letters) do
      deliveries[i] = new_delivery(letter)
    end
    return deliveries
  end
  return { new_delivery(letters[1]) }
end
