-- Hash: state, order and lease of a batch.
local function batch_key(serial, batch) return 'cc:' .. serial .. ':b:' .. batch end
