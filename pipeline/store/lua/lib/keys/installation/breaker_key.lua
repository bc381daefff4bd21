-- Hash: the failures of a provider in a row; absent while its breaker is closed.
local function breaker_key(channel) return 'cc:breaker:' .. channel end
