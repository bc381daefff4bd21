-- Counter: each served campaign gets the next number as its score in `ACTIVE`, which puts it last.
local SERVED = 'cc:turn'
