-- The sealed definition that an edit replaced.
local function earlier_definition_key(serial, version) return 'cc:' .. serial .. ':def:' .. version end
