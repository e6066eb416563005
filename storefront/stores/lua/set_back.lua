-- Set a position back, because the ledger was cut: a partition's, a sale's, or the accounts'. What it guards stays as it is.
-- KEYS[1] the hash that holds the position
-- ARGV[1] worker's epoch   ARGV[2] the position's field   ARGV[3] offset
-- Returns "set_back" or "another_epoch". A sale is closed until an epoch is signed behind this place.
if epoch_in_force() ~= ARGV[1] then return 'another_epoch' end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('HDEL', KEYS[1], 'record')
if ARGV[2] == 'position' then redis.call('HSET', KEYS[1], 'signed', '') end
return 'set_back'
