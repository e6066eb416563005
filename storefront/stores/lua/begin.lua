-- How far a partition is applied, under which epoch.
-- KEYS[1] position
-- Returns {epoch in force, offset of the next record, epoch signed in the ledger up to there}.
local position = redis.call('HMGET', KEYS[1], 'offset', 'signed')
return {epoch_in_force(), position[1] or '0', position[2] or ''}
