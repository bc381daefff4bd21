-- The sealed recipients of a batch.
local function recipients_key(serial, batch) return 'cc:' .. serial .. ':r:' .. batch end
