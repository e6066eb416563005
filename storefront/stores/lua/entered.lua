-- May a shopper be told that they are in the draw, now that it stands in the ledger?
-- KEYS[1] waitlist   KEYS[2] entering   KEYS[3] buyers
-- ARGV[1] shopper   ARGV[2] shopper and name, as entering has them
-- Returns "in" (Redis knows of it as well, in whichever epoch) or "gone".
local known = redis.call('ZSCORE', KEYS[2], ARGV[2]) or redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('HGET', KEYS[3], ARGV[1])
return known and 'in' or 'gone'
