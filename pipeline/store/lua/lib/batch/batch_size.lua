-- How many people a batch has.
local function batch_size(batch)
  return #redis.call('HGET', batch, 'plan')
end
