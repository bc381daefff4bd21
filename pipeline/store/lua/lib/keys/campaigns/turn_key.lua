-- Counter: what campaigns in `ACTIVE` are put behind each other by.
local TURN = 'cc:turn'
