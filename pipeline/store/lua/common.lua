-- Put in front of every script: time, leases, counters, and the record of a recipient's deliveries.
--
-- A ledger field (index in the batch) holds one record per channel tried, joined by ';':
--
--   <status><channel><generation>.<attempt>.<tries>.<at>.<after>.<code>
--
--   status    p pending, i sending (in flight), u uncertain, s sent, d delivered, b bounced,
--             f failed, x suppressed, k skipped
--   channel   the letter of the channel (e, s, w)
--   attempt   number of the last attempt that was started; a fact names the attempt it is about
--   tries     transient failures so far; only these count towards giving up
--   at        when the last attempt was started, in ms since the campaign's epoch (t0)
--   after     ms from `at` until it was settled, or until it may be tried again (p)
--
-- No field at all means: nothing tried yet. The Python side of the same format is store/records.py.

local STATUS = {
  p = 'pending', i = 'sending', u = 'uncertain', s = 'sent', d = 'delivered', b = 'bounced',
  f = 'failed', x = 'suppressed', k = 'skipped',
}
-- The due index of a state; a held batch whose order is merely overdue stays in 'r', polled slowly.
local LANE = { planned = 'o', ordered = 'r', fulfilled = 's', held = 'h' }
local CHANNEL = { e = 'email', s = 'sms', w = 'webhook' }

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua writes large numbers as 1.7e+12; Redis and Python want digits.
local function digits(number)
  return string.format('%.0f', number)
end

local function campaign_key(serial) return 'cc:' .. serial end
local function batch_key(serial, batch) return 'cc:' .. serial .. ':b:' .. batch end
local function ledger_key(serial, batch) return 'cc:' .. serial .. ':d:' .. batch end
-- The deliveries of earlier generations, as they stood when they were resent: same format, not counted.
local function earlier_key(serial, batch) return 'cc:' .. serial .. ':g:' .. batch end
-- Per recipient, sealed: which generation of which channel went to which address (resends.py).
local function resends_key(serial, batch) return 'cc:' .. serial .. ':a:' .. batch end
local function due_key(serial, lane) return 'cc:' .. serial .. ':due:' .. lane end
-- The batches that somebody has begun to work on: whoever finds one due takes it before all others.
local function begun_key(serial) return 'cc:' .. serial .. ':begun' end

-- Counters -------------------------------------------------------------------------------------

local function count(deltas, name, by)
  deltas[name] = (deltas[name] or 0) + by
end

local function save_counts(campaign, deltas)
  for name, by in pairs(deltas) do
    if by ~= 0 then
      redis.call('HINCRBY', campaign, name, by)
    end
  end
end

-- Leases ---------------------------------------------------------------------------------------

-- The token is a counter and the nonce of one claim: a counter alone could roll back with lost data.
local function holds(batch, token)
  return token ~= '' and redis.call('HGET', batch, 'tok') == token
end

-- Give the lease back and let the batch stand in exactly one due index (none if `lane` is nil),
-- due in `delay` ms, or at once if it was woken meanwhile.
local function release(serial, number, lane, delay)
  local batch = batch_key(serial, number)
  if redis.call('HDEL', batch, 'wake') == 1 and lane ~= 'h' then
    delay = 0
  end
  redis.call('HDEL', batch, 'tok', 'lu', 'deaths')
  local known = redis.call('HMGET', batch, 'st', 'posts')
  -- Its order may have been placed, though no answer says so.
  local posted = known[1] == 'planned' and tonumber(known[2] or 0) > 0
  redis.call(posted and 'SADD' or 'SREM', begun_key(serial), number)
  for _, other in pairs(LANE) do
    if other ~= lane then
      redis.call('ZREM', due_key(serial, other), number)
    end
  end
  if lane then
    redis.call('ZADD', due_key(serial, lane), digits(now_ms() + delay), number)
  end
end

-- A batch that outlived this many workers in a row is given to a worker that does nothing else, and
-- after MOST_DEATHS, three of them lone ones, to nobody. Whatever moves it on starts the count anew.
local SUSPECT_DEATHS, MOST_DEATHS = 2, 5

-- What blocked a lane is over; returns whether it was blocked.
local function unblock(campaign, lane)
  local field = 'blk:' .. lane
  return redis.call('HDEL', campaign, field, field .. ':until', field .. ':text', field .. ':n',
    field .. ':probing') > 0
end

-- The index of all links that ever came: where link k (0-based) stands, by the digests of several in
-- one string, 12 bytes each. Its Python side is in lookup_indexes.py and reorders.py.
local LINK_BUCKETS, DIGEST = 4096, 12

local function link_place(digests, k)
  local at = DIGEST * k + 1
  local high, low = string.byte(digests, at, at + 1)
  local bucket = (high * 256 + low) % LINK_BUCKETS
  return 'cc:links:' .. bucket, string.sub(digests, at + 2, at + DIGEST - 1)
end

-- The first link (0-based) that was seen in another batch of any campaign; nil if none was.
local function seen_before(digests, owner)
  for k = 0, #digests / DIGEST - 1 do
    local bucket, field = link_place(digests, k)
    local seen = redis.call('HGET', bucket, field)
    if seen and seen ~= owner then
      return k
    end
  end
end

local function remember_links(digests, owner)
  for k = 0, #digests / DIGEST - 1 do
    local bucket, field = link_place(digests, k)
    redis.call('HSET', bucket, field, owner)
  end
end

-- Change the state of a batch; `why` is the reason when the new state is 'held'.
local function move_batch(serial, number, state, deltas, why)
  local batch = batch_key(serial, number)
  local old = redis.call('HMGET', batch, 'st', 'why')
  if old[2] then
    count(deltas, 'h:' .. old[2], -1)
    redis.call('HDEL', batch, 'why')
  end
  if why then
    redis.call('HSET', batch, 'why', why)
    count(deltas, 'h:' .. why, 1)
  end
  redis.call('HSET', batch, 'st', state)
  count(deltas, 'b:' .. old[1], -1)
  count(deltas, 'b:' .. state, 1)
  return old[1]
end

local function size_of(batch)
  return #redis.call('HGET', batch, 'plan')
end

local function all_zero(campaign, fields)
  for _, value in ipairs(redis.call('HMGET', campaign, unpack(fields))) do
    if value and tonumber(value) ~= 0 then
      return false
    end
  end
  return true
end

-- What is uncertain of people who were forgotten stays so for ever.
local function nothing_open(campaign)
  local uncertain = redis.call('HMGET', campaign, 'd:uncertain', 'd:uncertain:forgotten')
  return tonumber(uncertain[1] or 0) == tonumber(uncertain[2] or 0)
    and all_zero(campaign, { 'd:pending', 'd:sending' })
end

-- Finished is what the counters say, never "no more rows came".
local function finish_if_done(campaign, serial, cancelled)
  if all_zero(campaign, { 'b:planned', 'b:ordered', 'b:fulfilled', 'b:held' })
    and (cancelled or nothing_open(campaign)) then
    redis.call('HSETNX', campaign, 'fin', digits(now_ms()))
    redis.call('ZREM', 'cc:active', serial)
  end
end

local function reopen(campaign, serial)
  redis.call('HDEL', campaign, 'fin')
  redis.call('ZADD', 'cc:active', 'NX', 0, serial)
end

-- Delivery records -----------------------------------------------------------------------------

local function parse_one(text)
  local status, channel, generation, attempt, tries, at, after, code =
    string.match(text, '^(%l)(%l)(%d+)%.(%d+)%.(%d+)%.(-?%d+)%.(-?%d+)%.([^;]*)$')
  return {
    status = status, channel = channel, generation = tonumber(generation),
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

local function format_one(d)
  return string.format('%s%s%d.%d.%d.%d.%d.%s',
    d.status, d.channel, d.generation, d.attempt, d.tries, d.at, d.after, d.code)
end

local function format(deliveries)
  if #deliveries == 1 then
    return format_one(deliveries[1])
  end
  local parts = {}
  for i, d in ipairs(deliveries) do
    parts[i] = format_one(d)
  end
  return table.concat(parts, ';')
end

local function fresh(channel)
  return {
    status = 'p', channel = channel, generation = 1, attempt = 0, tries = 0, at = 0, after = 0,
    code = '',
  }
end

-- The channels that a recipient has an address for, as letters in order of preference. The plan
-- holds one character per recipient: '0' plus a mask over the campaign's channels.
local function reachable(c, plan, index)
  local mask = string.byte(plan, index + 1) - 48
  local letters = c.reachable[mask]
  if not letters then
    letters = {}
    for i = 1, #c.channels do
      if math.floor(mask / 2 ^ (i - 1)) % 2 == 1 then
        letters[#letters + 1] = string.sub(c.channels, i, i)
      end
    end
    c.reachable[mask] = letters
  end
  return letters
end

local function initial(c, plan, index)
  local letters = reachable(c, plan, index)
  if c.mode == 'all' then
    local deliveries = {}
    for i, letter in ipairs(letters) do
      deliveries[i] = fresh(letter)
    end
    return deliveries
  end
  return { fresh(letters[1]) }
end

local function load(c, ledger, plan, index)
  local text = redis.call('HGET', ledger, index)
  if text then
    return parse(text)
  end
  return initial(c, plan, index)
end

-- The same for several people at once: {[index] = deliveries}. No index may stand there twice.
local function load_all(c, ledger, plan, indexes)
  local found = {}
  local texts = #indexes > 0 and redis.call('HMGET', ledger, unpack(indexes)) or {}
  for i, text in ipairs(texts) do
    local index = indexes[i]
    found[index] = text and parse(text) or initial(c, plan, index)
  end
  return found
end

-- Write what was loaded; `touched` holds the indexes of those that changed.
local function save_all(ledger, loaded, touched)
  local fields = {}
  for index in pairs(touched) do
    fields[#fields + 1] = index
    fields[#fields + 1] = format(loaded[index])
  end
  if #fields > 0 then
    redis.call('HSET', ledger, unpack(fields))
  end
end

-- In mode "first", make the next channel pending after a definite failure of those before it.
local FINAL = { f = true, b = true, x = true }

local function fall_back(c, deliveries, plan, index)
  local tried = {}
  for _, d in ipairs(deliveries) do
    tried[d.channel] = d
  end
  for _, letter in ipairs(reachable(c, plan, index)) do
    local d = tried[letter]
    if not d then
      deliveries[#deliveries + 1] = fresh(letter)
      return
    elseif d.status == 'k' and d.code == 'retry' then
      d.status, d.code = 'p', ''
      return
    elseif not FINAL[d.status] then
      return
    end
  end
end

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

-- The people of a batch who were forgotten: {[index] = when, in ms since the epoch}, and how many. The
-- field `gone` holds `index:when`, joined by blanks; it only ever grows, so the number tells whether
-- somebody was forgotten meanwhile.
local function forgotten_in(batch)
  local gone, number = {}, 0
  for index, at in string.gmatch(redis.call('HGET', batch, 'gone') or '', '(%d+):(%d+)') do
    gone[tonumber(index)] = tonumber(at)
    number = number + 1
  end
  return gone, number
end

-- Let nothing more be sent to somebody who was forgotten, whatever becomes of earlier attempts.
local function close_off(deliveries)
  for _, d in ipairs(deliveries) do
    if d.status == 'p' or (d.status == 'k' and d.code == 'retry') then
      d.status, d.code = 'k', 'forgotten'
    elseif d.status == 'u' then
      d.code = 'forgotten'
    end
  end
end

-- An uncertain delivery that nobody goes on with by itself: a person decides, or nobody ever.
local LEFT = { unconfirmed = true, forgotten = true }

-- The channels whose provider can be asked whether it has a message.
local LOOKS_UP = { s = true }

-- An uncertain delivery that is sent again by itself; after too many lost answers it no longer is.
-- Where the provider can be asked, it is asked first, and what it has not becomes pending.
local function resends(c, d)
  return d.status == 'u' and not LEFT[d.code] and not LOOKS_UP[d.channel]
    and string.find(c.resend, d.channel, 1, true) ~= nil
end

-- An uncertain delivery that somebody goes on with by itself.
local function unsettled(c, d)
  return d.status == 'u' and not LEFT[d.code] and (LOOKS_UP[d.channel] or resends(c, d))
end

-- Reached, open or not reached: one person, whatever number of channels.
local function person(deliveries)
  local open, excused = false, false
  for _, d in ipairs(deliveries) do
    if d.status == 's' or d.status == 'd' then
      return 'p:reached'
    elseif (d.status == 'k' or d.status == 'u') and d.code == 'forgotten' then
      excused = true
    elseif d.status == 'p' or d.status == 'i' or d.status == 'u' then
      open = true
    elseif d.status == 'x' then
      excused = true
    end
  end
  if open then
    return 'p:open'
  end
  return excused and 'p:reached' or 'p:not_reached'
end

-- The names of the counters, each put together once.
local function named(name_of)
  return setmetatable({}, { __index = function(known, key)
    known[key] = name_of(key)
    return known[key]
  end })
end

local TOTAL = named(function(status) return 'd:' .. STATUS[status] end)
local BY_CHANNEL = named(function(channel)
  return named(function(status) return 'c:' .. channel .. ':' .. STATUS[status] end)
end)

local function tally(deltas, deliveries, by)
  for _, d in ipairs(deliveries) do
    count(deltas, TOTAL[d.status], by)
    if d.status == 'u' and d.code == 'forgotten' then
      count(deltas, 'd:uncertain:forgotten', by)
    end
    if d.status ~= 'p' then
      -- By channel only what was tried: what is planned may never need its channel.
      count(deltas, BY_CHANNEL[d.channel][d.status], by)
    end
  end
  count(deltas, person(deliveries), by)
end
