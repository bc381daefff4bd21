-- The channels that a recipient has an address for, as letters in order of preference. The plan
-- holds one character per recipient: '0' plus a mask over the campaign's channels.
local function reachable(c, plan, index)
  local mask = string.byte(plan, index + 1) - 48
  local letters = c.reachable[mask]
  if not letters then
    letters = {}
    for i = 1, #c.channels do
      if math.floor(mask / 2 ^ (i - 1)) % 2 == 1 then
        letters[#letters + 1] = string.sub(c.channels, i, i)
      end
    end
    c.reachable[mask] = letters
  end
  return letters
end
