-- Hash: index to the sealed resends of a recipient: which resend number went to which address (resends.py).
local function resends_key(serial, batch) return 'cc:' .. serial .. ':a:' .. batch end
