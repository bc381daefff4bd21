-- The record of a recipient's deliveries. A ledger field (index in the batch) holds one record per
-- channel tried, joined by ';':
--
--   <status><channel><resend number>.<attempt>.<tries>.<at>.<after>.<code>
--
--   status    p pending, i sending (in flight), u uncertain, s sent, d delivered, b bounced,
--             f failed, x suppressed, k skipped
--   channel   the letter of the channel (e e-mail, s SMS, w webhook)
--   resend number   1 is the first message over this channel, 2 its first resend, and so on
--   attempt   number of the last attempt that was started; a fact names the attempt it is about
--   tries     transient failures so far; only these count towards giving up
--   at        when the last attempt was started, in ms since the campaign's epoch (t0)
--   after     ms from `at` until it was settled, or until it may be tried again (p)
--
-- No field at all means: nothing was tried yet. The Python side of the same format is
-- store/formats/records.py, that of the letters store/codec.py.

local function parse_one(text)
  local status, channel, resend_number, attempt, tries, at, after, code =
    string.match(text, '^(%l)(%l)(%d+)%.(%d+)%.(%d+)%.(-?%d+)%.(-?%d+)%.([^;]*)$')
  return {
    status = status, channel = channel, resend_number = tonumber(resend_number),
    attempt = tonumber(attempt), tries = tonumber(tries), at = tonumber(at),
    after = tonumber(after), code = code,
  }
end

local function parse(text)
  if not string.find(text, ';', 1, true) then
    return { parse_one(text) }
  end
  local deliveries = {}
  for part in string.gmatch(text, '[^;]+') do
    deliveries[#deliveries + 1] = parse_one(part)
  end
  return deliveries
end
