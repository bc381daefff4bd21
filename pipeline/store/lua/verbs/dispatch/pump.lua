-- Dispatch batches to a worker with free slots: choose those that it should work on next.
--
-- ARGV      free slots of lane o, r, s; ms that a dispatched batch waits before it is due again; name of
--           the worker ('' for one that is given poison batches like any other), '1' if it is idle;
--           slots of any lane beyond those, for batches that were begun
--
-- Returns {serial, batch, lane, dispatch number, …}, flat. Campaigns are served round-robin, one batch
-- each, so a small campaign behind a huge one starts at once. A batch stays in its due index, only
-- later: a worker that dies right after this call costs one dispatch.
-- Within a campaign begun batches go before untouched ones: those that a dead worker left behind, and
-- those that may have been ordered; a busy worker runs them beyond its slots. While an interrupted order
-- waits for a permit ('orders:new' has a cooldown), no new order is dispatched.
-- Poison batches, which workers died of, run in quarantine: one worker of the fleet finishes what it has,
-- runs such batches one at a time, and nothing else meanwhile.

-- @include active_key, quarantine_key, batch_key, begun_key, campaign_key, campaign_limiter, channels
-- @include digits, due_key, limiter_key, now_ms, served_key

local free = { o = tonumber(ARGV[1]), r = tonumber(ARGV[2]), s = tonumber(ARGV[3]) }
local dispatch_ms = tonumber(ARGV[4])
local now = now_ms()
local worker, idle = ARGV[5], ARGV[6] == '1'
local spare_slots = tonumber(ARGV[7])
local found, poison_found = {}, false
-- A batch that this many workers in a row died of is a poison batch; after HOLD_DEATHS (claim.lua) it is
-- held.
local QUARANTINE_DEATHS = 2
-- A lane is not served while its limiter cannot give a permit within this time.
local MAX_PERMIT_WAIT_MS = 100

local function lacks_permits(limiter)
  local found = redis.call('HMGET', limiter_key(limiter), 'next', 'hush')
  local next_us = math.max(tonumber(found[1] or 0), tonumber(found[2] or 0))
  return next_us / 1000 > now + MAX_PERMIT_WAIT_MS
end

-- Whether a batch of this lane may be tried, and whether it is the single probe of a blocked one.
local function may_try(campaign, lane)
  local blocked = redis.call('HMGET', campaign, 'blk:' .. lane, 'blk:' .. lane .. ':until')
  if not blocked[1] then
    return true, false
  end
  return blocked[2] and tonumber(blocked[2]) <= now, true
end

local function mark_probe(campaign, lane)
  redis.call('HSET', campaign, 'blk:' .. lane .. ':until', digits(now + dispatch_ms),
    'blk:' .. lane .. ':probing', '1')
end

local SCAN = 200
local in_quarantine = worker ~= '' and redis.call('GET', QUARANTINE) == worker

-- The due batches that were begun, the longest due first.
local function begun_due(serial, lane)
  local members, due = redis.call('SRANDMEMBER', begun_key(serial), SCAN), {}
  if #members == 0 then
    return {}
  end
  for i, score in ipairs(redis.call('ZMSCORE', due_key(serial, lane), unpack(members))) do
    if score and tonumber(score) <= now then
      due[#due + 1] = { tonumber(score), members[i] }
    end
  end
  table.sort(due, function(one, other) return one[1] < other[1] end)
  for i, pair in ipairs(due) do
    due[i] = pair[2]
  end
  return due
end

local new_may_order = not lacks_permits('orders:new')

-- Some of the batches that are due, the longest due first.
local function due_batches(serial, lane, first, number)
  return redis.call('ZRANGEBYSCORE', due_key(serial, lane), '-inf', digits(now), 'LIMIT', first, number)
end

-- The first of these that this worker may run: a poison batch if it is in quarantine, else any other.
local function first_allowed(serial, batches)
  for _, batch in ipairs(batches) do
    local known = redis.call('HMGET', batch_key(serial, batch), 'deaths', 'tok')
    -- A lapsed lease is a death that only the next claim will count.
    local is_poison = tonumber(known[1] or 0) + (known[2] and 1 or 0) >= QUARANTINE_DEATHS
    if is_poison == in_quarantine or worker == '' then
      return batch
    end
    poison_found = poison_found or is_poison
  end
end

-- Nearly always the first one fits; a full scan costs as much as all the rest.
local SHORT_SCAN = 5

local function choose_batch(serial, lane)
  local batch = first_allowed(serial, begun_due(serial, lane))
  if batch or free[lane] <= 0 or (lane == 'o' and not new_may_order) then
    return batch
  end
  return first_allowed(serial, due_batches(serial, lane, 0, SHORT_SCAN))
    or first_allowed(serial, due_batches(serial, lane, SHORT_SCAN, SCAN - SHORT_SCAN))
end

local function dispatch(serial, lane)
  local due, batch = due_key(serial, lane), choose_batch(serial, lane)
  if not batch then
    return false
  end
  local dispatch_number = redis.call('HINCRBY', batch_key(serial, batch), 'turn', 1)
  redis.call('ZADD', due, digits(now + dispatch_ms), batch)
  if free[lane] > 0 then
    free[lane] = free[lane] - 1
  else
    spare_slots = spare_slots - 1
  end
  if in_quarantine then
    free, spare_slots = { o = 0, r = 0, s = 0 }, 0
  end
  for _, value in ipairs({ serial, batch, lane, tostring(dispatch_number) }) do
    found[#found + 1] = value
  end
  return true
end

local lane_lacks_permits = { o = lacks_permits('orders'), r = lacks_permits('reads'), s = false }

-- Sending is pointless while no channel of the campaign has a permit to give.
local function no_channel_has_permits(serial, channels)
  for letter in string.gmatch(channels or '', '.') do
    local name = CHANNEL[letter]
    if not lacks_permits(name) and not lacks_permits(campaign_limiter(serial, name)) then
      return false
    end
  end
  return true
end

local function serve(serial)
  local campaign = campaign_key(serial)
  local flags = redis.call('HMGET', campaign, 'pau', 'can', 'start', 'channels')
  local cancelled = flags[2] ~= false
  if not cancelled and (flags[1] == '1' or tonumber(flags[3] or 0) > now) then
    return false
  end
  local any = false
  for _, lane in ipairs({ 's', 'r', 'o' }) do
    local open = (free[lane] > 0 or spare_slots > 0) and not lane_lacks_permits[lane]
      and redis.call('ZCOUNT', due_key(serial, lane), '-inf', digits(now)) > 0
    local probes = false
    if open and not cancelled then
      open = not (lane == 's' and no_channel_has_permits(serial, flags[4]))
      if open then
        open, probes = may_try(campaign, lane)
      end
    end
    if open and dispatch(serial, lane) then
      any = true
      if probes then
        mark_probe(campaign, lane)
      end
    end
  end
  return any
end

if in_quarantine then
  redis.call('PEXPIRE', QUARANTINE, dispatch_ms)
  if not idle then
    return found
  end
  free, spare_slots = { o = 1, r = 1, s = 1 }, 0
end
local waiting = redis.call('ZRANGE', ACTIVE, 0, SCAN - 1)
if #waiting == SCAN then
  -- More campaigns than one scan reads: paused ones must not stay at the head for ever.
  for _, serial in ipairs(waiting) do
    redis.call('ZADD', ACTIVE, 'XX', redis.call('INCR', SERVED), serial)
  end
end
while #waiting > 0 and (free.o > 0 or free.r > 0 or free.s > 0 or spare_slots > 0) do
  local again = {}
  for _, serial in ipairs(waiting) do
    if serve(serial) then
      again[#again + 1] = serial
      redis.call('ZADD', ACTIVE, 'XX', redis.call('INCR', SERVED), serial)
    end
  end
  waiting = again
end
if in_quarantine and #found == 0 then
  redis.call('DEL', QUARANTINE)
elseif poison_found and worker ~= '' then
  redis.call('SET', QUARANTINE, worker, 'NX', 'PX', dispatch_ms)
end
return found
