-- Hash: index to the sealed resends of a recipient: which generation went to which address (resends.py).
local function resends_key(serial, batch) return 'cc:' .. serial .. ':a:' .. batch end
