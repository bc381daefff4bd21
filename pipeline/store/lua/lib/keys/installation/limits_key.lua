-- Hash: the rates that were set at run time, by the name of their limiter.
local LIMITS = 'cc:limits'
