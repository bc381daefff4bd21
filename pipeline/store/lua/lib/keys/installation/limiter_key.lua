-- Hash: what a rate limiter has given ahead of time, and until when its cooldown lasts.
local function limiter_key(name) return 'cc:gcra:' .. name end
