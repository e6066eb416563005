-- The ledger was cut: begin a new epoch, so that all is closed at once and workers that read before are turned away.
-- KEYS[1] position   KEYS[2] birth
-- ARGV[1] worker's epoch   ARGV[2] offset and ARGV[3] id of the record that the ledger no longer holds   ARGV[4] random text
-- Returns {"begun", epoch now in force, number of the last mending that somebody began to write}, {"behind"} (somebody
-- mended it) or {"another_epoch"}.
if epoch_in_force() ~= ARGV[1] then return {'another_epoch'} end
local position = redis.call('HMGET', KEYS[1], 'offset', 'record', 'begun')
if position[1] ~= ARGV[2] or position[2] ~= ARGV[3] then return {'behind'} end
redis.call('SET', KEYS[2], ARGV[4])
return {'begun', epoch_in_force(), position[3] or '0'}
