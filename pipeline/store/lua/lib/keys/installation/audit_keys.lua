-- List: the audit trail, oldest entry first; and how many entries were ever appended.
local AUDIT = 'cc:audit'
local AUDIT_COUNT = 'cc:audit:count'
