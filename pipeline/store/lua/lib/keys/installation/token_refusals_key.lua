-- Counter: how many tokens were refused in a row.
local function token_refusals_key(account) return 'cc:rewards:' .. account .. ':token-refusals' end
