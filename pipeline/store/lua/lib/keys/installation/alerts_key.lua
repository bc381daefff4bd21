-- Hash: the alerts that are raised, and since when.
local ALERTS = 'cc:alerts'
