-- The people of a batch who were forgotten: {[index] = when, in ms since the epoch}, and how many. The
-- field `gone` holds `index:when`, joined by blanks; it only ever grows, so the number tells whether
-- somebody was forgotten meanwhile.
local function forgotten_in(batch)
  local gone, number = {}, 0
  for index, at in string.gmatch(redis.call('HGET', batch, 'gone') or '', '(%d+):(%d+)') do
    gone[tonumber(index)] = tonumber(at)
    number = number + 1
  end
  return gone, number
end
