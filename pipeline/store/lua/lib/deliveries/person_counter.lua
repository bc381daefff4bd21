-- The counter of a person by all of their deliveries: reached, open or not reached. An erased or suppressed
-- person whom no message can reach any more is not counted as missed.
local function person_counter(deliveries)
  local open, excused = false, false
  for _, d in ipairs(deliveries) do
    if d.status == 's' or d.status == 'd' then
      return 'p:reached'
    elseif (d.status == 'k' or d.status == 'u') and d.code == 'forgotten' then
      excused = true
    elseif d.status == 'p' or d.status == 'i' or d.status == 'u' then
      open = true
    elseif d.status == 'x' then
      excused = true
    end
  end
  if open then
    return 'p:open'
  end
  return excused and 'p:reached' or 'p:not_reached'
end
