-- Set: batches that somebody has begun to work on: whoever finds one due takes it before all others.
local function begun_key(serial) return 'cc:' .. serial .. ':begun' end
