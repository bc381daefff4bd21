-- The sealed answer of the rewards API that a batch is held for.
local function evidence_key(serial, batch) return 'cc:' .. serial .. ':raw:' .. batch end
