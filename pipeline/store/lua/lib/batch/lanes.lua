-- The due index of a state; a held batch whose order is merely overdue stays in 'r', polled slowly.
local LANE = { planned = 'o', ordered = 'r', fulfilled = 's', held = 'h' }
