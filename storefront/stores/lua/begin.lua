-- How far a partition is applied, under which epoch. A Redis that was emptied begins a new epoch here.
-- KEYS[1] position   KEYS[2] birth   ARGV[1] random text
-- Returns {epoch in force, offset of the next record, epoch signed in the ledger up to there, id of the last record,
-- number of the last mending up to there}.
redis.call('SET', KEYS[2], ARGV[1], 'NX')
local position = redis.call('HMGET', KEYS[1], 'offset', 'signed', 'record', 'mended')
return {epoch_in_force(), position[1] or '0', position[2] or '', position[3] or '', position[4] or '0'}
