-- Hash: index to the deliveries that a resend replaced, as they stood then: same format, not counted.
local function earlier_key(serial, batch) return 'cc:' .. serial .. ':g:' .. batch end
