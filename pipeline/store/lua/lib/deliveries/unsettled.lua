-- @include auto_resends

-- Whether workers go on with an uncertain delivery without a person.
local function unsettled(c, d)
  return d.status == 'u' and not ABANDONED[d.code] and (SEARCHABLE[d.channel] or auto_resends(c, d))
end
