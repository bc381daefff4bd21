-- @include fresh, reachable

-- What stands for somebody without a field in the ledger.
local function initial(c, plan, index)
  local letters = reachable(c, plan, index)
  if c.mode == 'all' then
    local deliveries = {}
    for i, letter in ipairs(letters) do
      deliveries[i] = fresh(letter)
    end
    return deliveries
  end
  return { fresh(letters[1]) }
end
