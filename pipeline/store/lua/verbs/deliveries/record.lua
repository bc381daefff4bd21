-- Record what became of attempts; needs no lease, so the results of a worker that lost its lease still count.
--
-- ARGV[1]   JSON: [[serial, batch, [[index, channel, attempt, kind, code, delay ms, resend number,
--           and if the address is dead its key and, in hex, its field in the suppression list], …]], …]
--
-- Kinds: s sent, d delivered, b bounced, f failed, o failed and no reason to try another channel,
-- x suppressed, u uncertain and p transient failure (both tried again after the delay, if at all;
-- cost a try), r released (certainly not sent; costs nothing), l a worker asked the provider for an
-- uncertain message and will ask again, n the provider does not have it and it may be sent again, w waits
-- for its window.
-- Attempt 0 means the latest (callbacks and bounces do not always name one).
-- A fact about the latest attempt moves the delivery forward by rank, never back. About an earlier
-- attempt, or one that was skipped later, only good news counts: it reached the person; nor does a
-- repeated old failure undo a retry. In mode "first" a definite failure makes the next channel
-- pending, unless the batch is cancelled: there nothing becomes pending any more. A final fact
-- about a message that was resent since is kept beside the ledger and moves nothing else. Nor does anything
-- become pending for people who were erased, or in a campaign whose data was purged.
-- Returns the number of facts that changed something; may be repeated.

-- @include batch_key, campaign_facts, close_erased, counters, digits, due_key, earlier_key
-- @include fall_back, erased_in, format, ledger_key, load_all, move_batch, now_ms, parse
-- @include release, reopen, tally

local RANK = { p = 0, i = 0, r = 0, u = 1, s = 2, f = 3, x = 3, b = 3, d = 3 }

local function applies(d, attempt, kind)
  if kind == 'w' then
    return (d.status == 'p' or d.status == 'u') and attempt == d.attempt
  end
  if attempt == 0 and RANK[kind] and RANK[kind] > 1 then
    attempt = d.attempt
  end
  if kind == 'l' or kind == 'n' then
    return d.status == 'u' and attempt == d.attempt
  end
  local good = kind == 's' or kind == 'd'
  if attempt < 1 or attempt > d.attempt then
    return false
  end
  if d.status == 'k' or (d.status == 'p' and d.code == 'retry') then
    return good
  end
  if attempt < d.attempt then
    return good and RANK[d.status] < RANK[kind]
  end
  if kind == 'p' or kind == 'r' then
    return d.status == 'i' or (d.status == 'u' and d.code == 'worker_lost')
  end
  return RANK[d.status] < RANK[kind] and not (d.status == 'p' and kind == 'u')
end

local function apply(d, kind, code, delay, elapsed)
  -- The record is parsed by its separators, so a code must not contain any.
  code = string.gsub(code, '[^%w_.-]', '_')
  if kind == 'w' then
    -- The code tells of earlier attempts, and must outlast the quiet hours.
    if d.status == 'p' and d.code ~= 'retry' then
      d.code = code
    end
    d.after = elapsed + delay
  elseif kind == 'p' or kind == 'r' or kind == 'n' then
    d.tries = d.tries + (kind == 'p' and 1 or 0)
    d.status, d.code, d.after = 'p', code, elapsed + delay
  elseif kind == 'l' then
    d.code, d.after = code, elapsed + delay
  else
    d.tries = d.tries + (kind == 'u' and 1 or 0)
    d.status, d.code, d.after = kind, code, elapsed + (kind == 'u' and delay or 0)
  end
end

local FINAL_KINDS = { s = true, d = true, b = true, f = true, x = true }

local function record_earlier(c, key, fact, kind, now)
  local text = FINAL_KINDS[kind] and redis.call('HGET', key, fact[1])
  local deliveries = text and parse(text) or {}
  for _, d in ipairs(deliveries) do
    if d.channel == fact[2] and d.resend_number == fact[7] and applies(d, fact[3], kind) then
      apply(d, kind, fact[5], 0, math.max(0, now - c.t0 - d.at))
      redis.call('HSET', key, fact[1], format(deliveries))
      return 1
    end
  end
  return 0
end

local function end_pending(deliveries, why)
  for _, d in ipairs(deliveries) do
    if d.status == 'p' then
      d.status, d.code = 'k', why
    end
  end
end

-- In the same step as the result: if the address were suppressed first, and the worker died before the
-- result, the next worker would take the person for unsubscribed.
local function suppress(fact)
  local field = fact[9] and string.gsub(fact[9], '..', function(pair) return string.char(tonumber(pair, 16)) end)
  if field then
    redis.call('HSETNX', fact[8], field, fact[5])
  end
end

-- The indexes that the facts are about, each once; those outside the batch are left out.
local function people_of(facts, plan)
  local indexes, listed = {}, {}
  for _, fact in ipairs(facts) do
    local index = fact[1]
    if index >= 0 and index < #plan and not listed[index] then
      listed[index] = true
      indexes[#indexes + 1] = index
    end
  end
  return indexes
end

local changed = 0
for _, group in ipairs(cjson.decode(ARGV[1])) do
  local serial, number = group[1], group[2]
  local batch, ledger = batch_key(serial, number), ledger_key(serial, number)
  local c, plan, deltas, now = campaign_facts(serial), redis.call('HGET', batch, 'plan'), {}, now_ms()
  local pending, touched = nil, false
  local ended = redis.call('HGET', batch, 'st') == 'cancelled' and 'cancelled' or c.purged and 'purged'
  local erased, facts = erased_in(batch), plan and group[3] or {}
  local loaded, changes = load_all(c, ledger, plan, people_of(facts, plan)), {}
  for _, fact in ipairs(facts) do
    local index, letter, attempt, kind, code, delay =
      fact[1], fact[2], fact[3], fact[4], fact[5], fact[6]
    suppress(fact)
    local falls_back = kind ~= 'o'
    kind = falls_back and kind or 'f'
    local deliveries = loaded[index] or {}
    for _, d in ipairs(deliveries) do
      if d.channel == letter and fact[7] < d.resend_number then
        changed = changed + record_earlier(c, earlier_key(serial, number), fact, kind, now)
        break
      elseif d.channel == letter and d.resend_number == fact[7] and applies(d, attempt, kind) then
        tally(deltas, deliveries, -1)
        -- The server's clock may have been set back meanwhile.
        apply(d, kind, code, delay, math.max(0, now - c.t0 - d.at))
        if falls_back and c.mode == 'first' and FINAL[kind] and not erased[index] then
          fall_back(c, deliveries, plan, index)
        end
        if erased[index] then
          close_erased(deliveries)
        elseif ended then
          end_pending(deliveries, ended)
        end
        tally(deltas, deliveries, 1)
        changed, touched, changes[index] = changed + 1, true, true
        for _, other in ipairs(deliveries) do
          if other.status == 'p' then
            local due = math.max(now, c.t0 + other.at + other.after)
            pending = math.min(pending or due, due)
          end
        end
        break
      end
    end
  end
  save_all(ledger, loaded, changes)
  if touched then
    redis.call('HDEL', batch, 'deaths')  -- progress: no worker dies of it in a row any more
  end
  if not c.cancelled and touched then
    local found = redis.call('HMGET', batch, 'st', 'tok', 'why')
    local settled = found[1] == 'done' and pending
    if settled or (found[1] == 'held' and found[3] == 'uncertain') then
      move_batch(serial, number, 'fulfilled', deltas)
      release(serial, number, 's', (pending or now) - now)
      reopen(c.key, serial)
    elseif found[1] == 'fulfilled' and not found[2] then
      redis.call('ZADD', due_key(serial, 's'), 'LT', digits(pending or now), number)
    end
  end
  save_counts(c.key, deltas)
end
return changed
