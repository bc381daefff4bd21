-- Sorted set: serials with unfinished work, by when they were last served.
local ACTIVE = 'cc:active'
