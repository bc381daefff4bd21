-- The people of a batch who were erased: {[index] = when, in ms since the epoch}, and how many. The
-- field `gone` holds `index:when`, joined by blanks; it only ever grows, so the number tells whether
-- somebody was erased meanwhile.
local function erased_in(batch)
  local erased, number = {}, 0
  for index, at in string.gmatch(redis.call('HGET', batch, 'gone') or '', '(%d+):(%d+)') do
    erased[tonumber(index)] = tonumber(at)
    number = number + 1
  end
  return erased, number
end
