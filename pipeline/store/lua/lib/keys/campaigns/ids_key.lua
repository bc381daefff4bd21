-- Hash: the id of every committed campaign to its serial.
local IDS = 'cc:ids'
