-- Note an event that a merchant is to be told of, once.
-- KEYS[1] merchants to be told something   KEYS[2] those whose turn is taken: they are in line once it is over
-- KEYS[3] the merchant's events that are to be told   KEYS[4] those noted lately
-- ARGV[1] merchant   ARGV[2] event   ARGV[3] at (ms)   ARGV[4] ms for which it is remembered   ARGV[5] most that may wait
-- Returns "noted", "known" or "full".
if redis.call('ZSCORE', KEYS[4], ARGV[2]) then return 'known' end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return 'full' end
local now = now_ms()
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  local turn = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if not turn or tonumber(turn) > now then redis.call('ZADD', KEYS[1], now, ARGV[1]) end
end
return 'noted'
