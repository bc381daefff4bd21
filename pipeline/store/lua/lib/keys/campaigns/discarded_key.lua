-- Set: serials whose keys are to be deleted.
local DISCARDED = 'cc:discarded'
