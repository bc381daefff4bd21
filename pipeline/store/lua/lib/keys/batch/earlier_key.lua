-- Hash: index to the deliveries as they stood when they were resent: same format, not counted.
local function earlier_key(serial, batch) return 'cc:' .. serial .. ':g:' .. batch end
