-- Hash: flags and counters of a campaign.
local function campaign_key(serial) return 'cc:' .. serial end
