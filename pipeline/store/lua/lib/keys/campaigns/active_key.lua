-- Sorted set: serials with unfinished work, the one that waited longest first.
local ACTIVE = 'cc:active'
