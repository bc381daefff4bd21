-- Hash: which processes live, each with its ring and when it was last heard of.
local LIVE_PROCESSES = 'cc:keys:live'
