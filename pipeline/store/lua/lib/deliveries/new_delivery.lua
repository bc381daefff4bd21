-- A delivery without any attempt.
local function new_delivery(channel)
  return {
    status = 'p', channel = channel, resend_number = 1, attempt = 0, tries = 0, at = 0, after = 0,
    code = '',
  }
end
