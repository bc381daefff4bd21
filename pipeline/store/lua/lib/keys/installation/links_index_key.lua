-- Hash: digest of a link to the batch that owns it, for all links that ever came.
local function links_index_key(bucket) return 'cc:links:' .. bucket end
