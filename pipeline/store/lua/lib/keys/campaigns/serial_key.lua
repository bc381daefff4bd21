-- Counter: the last serial that was given to a campaign.
local SERIAL = 'cc:serial'
