-- The sealed token that the whole fleet calls the rewards API with.
local function token_key(account) return 'cc:rewards:' .. account .. ':token' end
