-- Number a mending that is to be written: higher than any that was read or begun here.
-- KEYS[1] position
-- ARGV[1] epoch that the mending began
-- Returns the number, or "another_epoch".
if epoch_in_force() ~= ARGV[1] then return 'another_epoch' end
local position = redis.call('HMGET', KEYS[1], 'mended', 'begun')
local number = math.max(tonumber(position[1] or 0), tonumber(position[2] or 0)) + 1
redis.call('HSET', KEYS[1], 'begun', number)
return string.format('%.0f', number)
