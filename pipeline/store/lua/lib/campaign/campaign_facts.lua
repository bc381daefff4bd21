-- @include campaign_key

-- What the campaign looks like to the scripts that change deliveries.
local function campaign_facts(serial)
  local campaign = campaign_key(serial)
  local found = redis.call(
    'HMGET', campaign, 'channels', 'mode', 'resend', 't0', 'pau', 'can', 'purging')
  return {
    key = campaign, channels = found[1], mode = found[2], resend = found[3],
    t0 = tonumber(found[4]), paused = found[5] == '1', cancelled = found[6] ~= false,
    reachable = {},
    -- Addresses and links are going, or gone: nothing is sent any more.
    purged = found[7] ~= false,
  }
end
