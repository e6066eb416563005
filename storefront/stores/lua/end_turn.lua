-- A merchant's turn is over: the next one is when their next event is due, but behind all who wait now.
-- KEYS[1] merchants to be told something   KEYS[2] the merchant's events that are to be told
-- ARGV[1] merchant
-- Returns "waits" or "done".
local due = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
if not due then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return 'done'
end
redis.call('ZADD', KEYS[1], math.max(now_ms(), tonumber(due)), ARGV[1])
return 'waits'
