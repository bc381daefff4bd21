-- The sealed definition that counts now.
local function definition_key(serial) return 'cc:' .. serial .. ':def' end
