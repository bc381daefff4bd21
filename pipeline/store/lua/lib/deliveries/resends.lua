-- An uncertain delivery that nobody goes on with by itself: a person decides, or nobody ever.
local LEFT = { unconfirmed = true, forgotten = true }

-- The channels whose provider can be asked whether it has a message: SEARCHABLE in domain/ports.py.
local LOOKS_UP = { s = true }

-- An uncertain delivery that is sent again by itself; after too many lost answers it no longer is.
-- Where the provider can be asked, it is asked first, and what it has not becomes pending.
local function resends(c, d)
  return d.status == 'u' and not LEFT[d.code] and not LOOKS_UP[d.channel]
    and string.find(c.resend, d.channel, 1, true) ~= nil
end
