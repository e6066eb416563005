-- Note an event that a merchant is to be told of, once.
-- KEYS[1] merchants to be told something   KEYS[2] the merchant's events that are to be told   KEYS[3] those noted lately
-- ARGV[1] merchant   ARGV[2] event   ARGV[3] at (ms)   ARGV[4] ms for which it is remembered   ARGV[5] most that may wait
-- Returns "noted", "known" or "full".
if redis.call('ZSCORE', KEYS[3], ARGV[2]) then return 'known' end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then return 'full' end
local now = now_ms()
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
local turn = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not turn or tonumber(turn) > now then redis.call('ZADD', KEYS[1], now, ARGV[1]) end
return 'noted'
