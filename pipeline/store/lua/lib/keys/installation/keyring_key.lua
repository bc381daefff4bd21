-- Hash: the sealed digest key, and the rings of keys that processes ever had.
local KEYRING = 'cc:keys'
