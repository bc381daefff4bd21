-- Hash: flags and counters of a campaign. Its fields: docs/internals/data-model.md.
local function campaign_key(serial) return 'cc:' .. serial end
