-- The worker that runs batches alone which others died of.
local ALONE = 'cc:alone'
