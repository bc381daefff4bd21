-- Bytes of the digest of a recipient's id, as `id_digest` in store/lookups.py makes it.
local ID_DIGEST_BYTES = 9
