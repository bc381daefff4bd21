-- Set: batches that a worker has begun; when due, they are dispatched before all others.
local function begun_key(serial) return 'cc:' .. serial .. ':begun' end
