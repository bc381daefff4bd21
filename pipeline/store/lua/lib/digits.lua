-- Lua writes large numbers as 1.7e+12; Redis and Python want digits.
local function digits(number)
  return string.format('%.0f', number)
end
