-- Bytes of the field that an address has in the suppression list, as store/suppressions.py makes it.
local SUPPRESSION_FIELD_BYTES = 10
