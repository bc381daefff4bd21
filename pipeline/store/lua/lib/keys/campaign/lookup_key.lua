-- Hash: digest of a recipient's id to their place in the campaign.
local function lookup_key(serial, bucket) return 'cc:' .. serial .. ':x:' .. bucket end
