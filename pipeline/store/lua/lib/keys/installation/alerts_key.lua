-- Hash: what there is to tell somebody, and since when.
local ALERTS = 'cc:alerts'
