-- Exists while a worker fetches a new token, or while nobody may ask for one.
local function token_lock_key(account) return 'cc:rewards:' .. account .. ':token-lock' end
