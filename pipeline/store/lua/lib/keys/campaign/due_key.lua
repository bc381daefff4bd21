-- Sorted set: unfinished batches by when a worker must look at them, in ms.
local function due_key(serial, lane) return 'cc:' .. serial .. ':due:' .. lane end
