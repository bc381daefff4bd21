-- Remove the recipients, links, evidence and resends of some batches of a campaign that is being purged.
--
-- ARGV      serial, first batch, last batch
--
-- Returns 1, or 0 if it is not being purged. May be repeated. Pass few batches: the server answers
-- nobody else meanwhile; the memory itself is freed in the background.

-- @include campaign_key, digits, evidence_key, links_key, recipients_key, resends_key

local serial = ARGV[1]
if redis.call('HEXISTS', campaign_key(serial), 'purging') == 0 then
  return 0
end
local keys = {}
for number = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  for _, key in ipairs({ recipients_key, links_key, evidence_key, resends_key }) do
    keys[#keys + 1] = key(serial, digits(number))
  end
end
redis.call('UNLINK', unpack(keys))
-- Never back: another purge of the same campaign may be further.
local done = tonumber(redis.call('HGET', campaign_key(serial), 'purging:to') or 0)
redis.call('HSET', campaign_key(serial), 'purging:to', digits(math.max(done, tonumber(ARGV[3]))))
return 1
