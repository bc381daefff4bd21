-- Choose the batches that a worker with free slots should work on next.
--
-- ARGV      free slots of lane o, r, s; ms that a dispatched batch waits before it is due again; name of
--           the worker ('' for one that is given suspect batches like any other), '1' if it is idle;
--           slots of any lane beyond those, for batches that were begun
--
-- Returns {serial, batch, lane, turn, …}, flat. Campaigns are served in turn, one batch each, so
-- a small campaign behind a huge one starts at once. A batch stays in its due index: it is only
-- moved into the future, so that a worker that dies right after this call costs one dispatch.
-- Within a campaign what somebody had begun goes before what nobody has touched: what a dead worker
-- left behind, and what may have been ordered; a worker that is busy takes it on top. While an order
-- that was interrupted waits for a permit ('orders:new' is silent), no new one is given out.
-- A batch that workers died of runs alone: one worker of the fleet finishes what it has, runs such
-- batches one at a time, and takes nothing else meanwhile.

-- @include active_key, alone_key, batch_key, begun_key, campaign_key, campaign_limiter, channels
-- @include digits, due_key, limiter_key, now_ms, turn_key

local free = { o = tonumber(ARGV[1]), r = tonumber(ARGV[2]), s = tonumber(ARGV[3]) }
local dispatch = tonumber(ARGV[4])
local now = now_ms()
local worker, idle = ARGV[5], ARGV[6] == '1'
local spare = tonumber(ARGV[7])
local found, suspected = {}, false
-- A batch that this many workers in a row died of is given to a worker that does nothing else; after
-- MOST_DEATHS (claim.lua) to nobody.
local SUSPECT_DEATHS = 2
-- A limiter key that cannot give a permit for this long makes its lane pointless for now.
local PATIENCE_MS = 100

local function starved(limiter)
  local found = redis.call('HMGET', limiter_key(limiter), 'next', 'hush')
  local next_us = math.max(tonumber(found[1] or 0), tonumber(found[2] or 0))
  return next_us / 1000 > now + PATIENCE_MS
end

-- Whether a batch of this lane may be tried, and whether it is the single probe of a blocked one.
local function may_try(campaign, lane)
  local blocked = redis.call('HMGET', campaign, 'blk:' .. lane, 'blk:' .. lane .. ':until')
  if not blocked[1] then
    return true, false
  end
  return blocked[2] and tonumber(blocked[2]) <= now, true
end

local function probed(campaign, lane)
  redis.call('HSET', campaign, 'blk:' .. lane .. ':until', digits(now + dispatch),
    'blk:' .. lane .. ':probing', '1')
end

local LOOK = 200
local alone = worker ~= '' and redis.call('GET', ALONE) == worker

-- The due batches that were begun, the longest due first.
local function begun(serial, lane)
  local members, due = redis.call('SRANDMEMBER', begun_key(serial), LOOK), {}
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

local new_may_order = not starved('orders:new')

-- A part of the batches that are due, in their order.
local function due_from(serial, lane, first, number)
  return redis.call('ZRANGEBYSCORE', due_key(serial, lane), '-inf', digits(now), 'LIMIT', first, number)
end

-- The first of these that this worker may have: a suspect one if it works alone, else any other.
local function fit_of(serial, batches)
  for _, batch in ipairs(batches) do
    local known = redis.call('HMGET', batch_key(serial, batch), 'deaths', 'tok')
    -- A lapsed lease is a death that only the next claim will count.
    local suspect = tonumber(known[1] or 0) + (known[2] and 1 or 0) >= SUSPECT_DEATHS
    if suspect == alone or worker == '' then
      return batch
    end
    suspected = suspected or suspect
  end
end

-- Nearly always it is the first one; the long look costs as much as all the rest.
local SHORT_LOOK = 5

local function choose(serial, lane)
  local batch = fit_of(serial, begun(serial, lane))
  if batch or free[lane] <= 0 or (lane == 'o' and not new_may_order) then
    return batch
  end
  return fit_of(serial, due_from(serial, lane, 0, SHORT_LOOK))
    or fit_of(serial, due_from(serial, lane, SHORT_LOOK, LOOK - SHORT_LOOK))
end

local function take(serial, lane)
  local due, batch = due_key(serial, lane), choose(serial, lane)
  if not batch then
    return false
  end
  local turn = redis.call('HINCRBY', batch_key(serial, batch), 'turn', 1)
  redis.call('ZADD', due, digits(now + dispatch), batch)
  if free[lane] > 0 then
    free[lane] = free[lane] - 1
  else
    spare = spare - 1
  end
  if alone then
    free, spare = { o = 0, r = 0, s = 0 }, 0
  end
  for _, value in ipairs({ serial, batch, lane, tostring(turn) }) do
    found[#found + 1] = value
  end
  return true
end

local starved_lane = { o = starved('orders'), r = starved('reads'), s = false }

-- Sending is pointless while no channel of the campaign has a permit to give.
local function silenced(serial, channels)
  for letter in string.gmatch(channels or '', '.') do
    local name = CHANNEL[letter]
    if not starved(name) and not starved(campaign_limiter(serial, name)) then
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
    local open = (free[lane] > 0 or spare > 0) and not starved_lane[lane]
      and redis.call('ZCOUNT', due_key(serial, lane), '-inf', digits(now)) > 0
    local probes = false
    if open and not cancelled then
      open = not (lane == 's' and silenced(serial, flags[4]))
      if open then
        open, probes = may_try(campaign, lane)
      end
    end
    if open and take(serial, lane) then
      any = true
      if probes then
        probed(campaign, lane)
      end
    end
  end
  return any
end

if alone then
  redis.call('PEXPIRE', ALONE, dispatch)
  if not idle then
    return found
  end
  free, spare = { o = 1, r = 1, s = 1 }, 0
end
local waiting = redis.call('ZRANGE', ACTIVE, 0, LOOK - 1)
if #waiting == LOOK then
  -- More campaigns than one look takes in: paused ones must not stay at the head for ever.
  for _, serial in ipairs(waiting) do
    redis.call('ZADD', ACTIVE, 'XX', redis.call('INCR', TURN), serial)
  end
end
while #waiting > 0 and (free.o > 0 or free.r > 0 or free.s > 0 or spare > 0) do
  local again = {}
  for _, serial in ipairs(waiting) do
    if serve(serial) then
      again[#again + 1] = serial
      redis.call('ZADD', ACTIVE, 'XX', redis.call('INCR', TURN), serial)
    end
  end
  waiting = again
end
if alone and #found == 0 then
  redis.call('DEL', ALONE)
elseif suspected and worker ~= '' then
  redis.call('SET', ALONE, worker, 'NX', 'PX', dispatch)
end
return found
