-- How many people a batch has.
local function size_of(batch)
  return #redis.call('HGET', batch, 'plan')
end
