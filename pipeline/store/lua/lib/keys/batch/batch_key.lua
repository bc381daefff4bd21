-- Hash: state, order and lease of a batch. Its fields: docs/internals/data-model.md.
local function batch_key(serial, batch) return 'cc:' .. serial .. ':b:' .. batch end
