-- Sorted set: unfinished batches by when somebody must look at them, in ms.
local function due_key(serial, lane) return 'cc:' .. serial .. ':due:' .. lane end
