-- The name of the limiter of one campaign's channel (in words).
local function campaign_limiter(serial, channel) return serial .. ':' .. channel end
