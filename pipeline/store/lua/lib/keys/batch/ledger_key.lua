-- Hash: index of a recipient to their deliveries.
local function ledger_key(serial, batch) return 'cc:' .. serial .. ':d:' .. batch end
