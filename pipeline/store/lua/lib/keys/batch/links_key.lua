-- The sealed links of a batch, in its recipients' order.
local function links_key(serial, batch) return 'cc:' .. serial .. ':k:' .. batch end
