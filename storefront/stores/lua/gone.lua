-- Which ids are no accounts any more. Changes nothing.
-- KEYS[1] the accounts' position   KEYS[2] the ids that are gone   ARGV[1] how many the caller knows
-- Returns how many there are, and if that is another number their names; -1 while the accounts may not all be there.
if redis.call('HGET', KEYS[1], 'signed') ~= epoch_in_force() then return {-1} end
local count = redis.call('HLEN', KEYS[2])
if count == tonumber(ARGV[1]) then return {count} end
return {count, redis.call('HKEYS', KEYS[2])}
