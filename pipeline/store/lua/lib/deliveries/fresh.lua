-- A delivery of which nothing was tried yet.
local function fresh(channel)
  return {
    status = 'p', channel = channel, generation = 1, attempt = 0, tries = 0, at = 0, after = 0,
    code = '',
  }
end
