-- The letters of the channels.
local CHANNEL = { e = 'email', s = 'sms', w = 'webhook' }
