-- Hash: what a rate limiter has given ahead of time, and until when its cooldown lasts.
-- Times are in microseconds: `tat` booked up to then, `interval` of that rate, `next` permit, `hush` cooldown.
local function limiter_key(name) return 'cc:gcra:' .. name end
