-- The worker in quarantine: it alone runs the poison batches, those that workers died of.
local QUARANTINE = 'cc:alone'
