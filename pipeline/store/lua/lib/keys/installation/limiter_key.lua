-- Hash: what a rate limiter has given ahead of time, and until when it is silent.
local function limiter_key(name) return 'cc:gcra:' .. name end
