-- Let nothing more be sent to somebody who was erased, whatever becomes of earlier attempts.
local function close_erased(deliveries)
  for _, d in ipairs(deliveries) do
    if d.status == 'p' or (d.status == 'k' and d.code == 'retry') then
      d.status, d.code = 'k', 'forgotten'
    elseif d.status == 'u' then
      d.code = 'forgotten'
    end
  end
end
