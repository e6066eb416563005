-- Use a ticket up, if it is the open one.
-- KEYS[1] ticket   ARGV[1] the ticket
-- Returns whether it was.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
