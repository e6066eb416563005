-- Tell a merchant of an event once more, as if never tried.
-- KEYS[1] merchants to be told something   KEYS[2] those whose turn is taken: they are in line once it is over
-- KEYS[3] the merchant's events that are to be told   KEYS[4] how often each was tried   KEYS[5] those noted lately
-- ARGV[1] merchant   ARGV[2] event
-- Returns "due" or "unknown".
if not redis.call('ZSCORE', KEYS[5], ARGV[2]) then return 'unknown' end
local now = now_ms()
redis.call('HDEL', KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[3], now, ARGV[2])
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then redis.call('ZADD', KEYS[1], now, ARGV[1]) end
return 'due'
