-- Hash: digest of an address that nobody may write to, and why.
local SUPPRESSION_BUCKETS = 1024

local function suppressed_key(bucket) return 'cc:suppressed:' .. bucket end
