-- A merchant's turn is over: the next one is when their next event is due, but behind all who wait now. Whoever took so
-- long that it isn't theirs any more changes nothing.
-- KEYS[1] merchants to be told something   KEYS[2] those whose turn is taken
-- KEYS[3] the merchant's events that are to be told
-- ARGV[1] merchant   ARGV[2] until when the turn was theirs (ms)
-- Returns "waits", "done" or "lost".
local ends = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not ends or tonumber(ends) ~= tonumber(ARGV[2]) then return 'lost' end
redis.call('ZREM', KEYS[2], ARGV[1])
local due = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
if not due then return 'done' end
redis.call('ZADD', KEYS[1], math.max(now_ms(), tonumber(due)), ARGV[1])
return 'waits'
