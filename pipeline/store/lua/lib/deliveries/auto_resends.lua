-- Uncertain deliveries with these codes do not move by themselves: a person decides, or nobody ever.
local ABANDONED = { unconfirmed = true, forgotten = true }

-- The channels whose provider can be asked whether it has a message: as in domain/ports.py.
local SEARCHABLE = { s = true }

-- Whether workers send an uncertain delivery again without a person; after too many lost answers they no
-- longer do. Where the provider can be asked, workers ask first, and what it has not becomes pending.
local function auto_resends(c, d)
  return d.status == 'u' and not ABANDONED[d.code] and not SEARCHABLE[d.channel]
    and string.find(c.resend, d.channel, 1, true) ~= nil
end
