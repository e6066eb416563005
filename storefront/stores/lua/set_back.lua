-- Set a position back, because the ledger was cut: a partition's, a sale's, or the accounts'. What it guards stays as it is.
-- KEYS[1] the hash that holds the position
-- ARGV[1] worker's epoch   ARGV[2] the position's field   ARGV[3] what stands for the last record's id until a mending is read
-- Returns "set_back" or "another_epoch".
if epoch_in_force() ~= ARGV[1] then return 'another_epoch' end
redis.call('HSET', KEYS[1], ARGV[2], 0, 'record', ARGV[3])
return 'set_back'
