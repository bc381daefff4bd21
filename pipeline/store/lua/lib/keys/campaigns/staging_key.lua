-- Hash: campaigns that are being submitted, each with its serial, nonce and when it lapses.
local STAGING = 'cc:staging'
