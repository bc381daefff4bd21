-- Hash: the failures of a provider in a row; absent since its last success.
-- `failures` in a row, `reason` of the last, `until` (ms) when its breaker is open.
local function breaker_key(channel) return 'cc:breaker:' .. channel end
