-- @include new_delivery, reachable

-- Statuses of a definite failure: the next channel may be tried.
local FINAL = { f = true, b = true, x = true }

-- In mode "first", make the next channel pending after a definite failure of those before it.
local function fall_back(c, deliveries, plan, index)
  local tried = {}
  for _, d in ipairs(deliveries) do
    tried[d.channel] = d
  end
  for _, letter in ipairs(reachable(c, plan, index)) do
    local d = tried[letter]
    if not d then
      deliveries[#deliveries + 1] = new_delivery(letter)
      return
    elseif d.status == 'k' and d.code == 'retry' then
      d.status, d.code = 'p', ''
      return
    elseif not FINAL[d.status] then
      return
    end
  end
end
