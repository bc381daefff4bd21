-- Unblock a lane: an operator who retries says that the cause is mended.
--
-- ARGV      serial, lane
--
-- Returns 1 if it was blocked.

-- @include campaign_key, unblock

return unblock(campaign_key(ARGV[1]), ARGV[2]) and 1 or 0
