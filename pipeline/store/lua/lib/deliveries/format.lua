-- Write the records that parse.lua explains.

local function format_one(d)
  return string.format('%s%s%d.%d.%d.%d.%d.%s',
    d.status, d.channel, d.resend_number, d.attempt, d.tries, d.at, d.after, d.code)
end

local function format(deliveries)
  if #deliveries == 1 then
    return format_one(deliveries[1])
  end
  local parts = {}
  for i, d in ipairs(deliveries) do
    parts[i] = format_one(d)
  end
  return table.concat(parts, ';')
end
