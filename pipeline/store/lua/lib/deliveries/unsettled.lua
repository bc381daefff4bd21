-- @include resends

-- An uncertain delivery that somebody goes on with by itself.
local function unsettled(c, d)
  return d.status == 'u' and not LEFT[d.code] and (LOOKS_UP[d.channel] or resends(c, d))
end
