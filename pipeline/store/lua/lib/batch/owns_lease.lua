-- Whether this is the token of the live lease.
-- The token is a counter and the nonce of one claim: a counter alone could roll back with lost data.
local function owns_lease(batch, token)
  return token ~= '' and redis.call('HGET', batch, 'tok') == token
end
