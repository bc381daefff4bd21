-- A worker has done what it can with a batch for now: the ledger decides when a worker must look at it
-- again, or that none must.
--
-- ARGV      serial, batch, token, ms that permits or windows ask to wait at least
--
-- Returns the new state ('fulfilled', 'held', 'done', 'cancelled'), or '' if the token is stale.

-- @include batch_key, campaign_facts, counters, finish_if_done, owns_lease, initial_deliveries, ledger_key
-- @include move_batch, now_ms, parse, release, unsettled

local serial, number, token = ARGV[1], ARGV[2], ARGV[3]
local batch, ledger = batch_key(serial, number), ledger_key(serial, number)
if not owns_lease(batch, token) then
  return ''
end
local c, plan, now, deltas = campaign_facts(serial), redis.call('HGET', batch, 'plan'), now_ms(), {}
local wait, uncertain, indexes = nil, false, {}
for index = 0, #plan - 1 do
  indexes[#indexes + 1] = index
end
-- Nearly all records look like this by now: one delivery, with nothing left to do.
local SETTLED = '^[sdbfxk][^;]*$'
for i, text in ipairs(#plan > 0 and redis.call('HMGET', ledger, unpack(indexes)) or {}) do
  local settled = text and string.find(text, SETTLED)
  for _, d in ipairs(settled and {} or text and parse(text) or initial_deliveries(c, plan, i - 1)) do
    if d.status == 'p' or unsettled(c, d) then
      local left = math.max(0, c.t0 + d.at + d.after - now)
      wait = math.min(wait or left, left)
    elseif d.status == 'i' then
      wait = 0
    elseif d.status == 'u' and d.code ~= 'forgotten' then
      uncertain = true
    end
  end
end

local state, lane, delay = 'done', nil, 0
if wait then
  state, lane, delay = 'fulfilled', 's', math.max(wait, tonumber(ARGV[4]))
elseif uncertain and not c.cancelled then
  state, lane = 'held', 'h'
elseif uncertain then
  -- Cancelled meanwhile: nobody would look at a held batch any more, so it goes to its end.
  state, lane = 'fulfilled', 's'
end
if state ~= 'fulfilled' then
  move_batch(serial, number, state, deltas, state == 'held' and 'uncertain' or nil)
  save_counts(c.key, deltas)
end
release(serial, number, lane, delay)
finish_if_done(c.key, serial, c.cancelled)
return state
