-- The event that a merchant is to be told of now. It is put off to its next attempt at once: whoever takes it may die of it.
-- KEYS[1] the merchant's events that are to be told   KEYS[2] how often each was tried   KEYS[3] those noted lately
-- ARGV[1], … ms from each attempt to the next; behind the last of these one more attempt is made
-- Returns the event, when it happened (ms, 0 if that isn't known), the attempt's number, and when the next one is
-- (ms, 0 for none); or nothing.
local now = now_ms()
local event = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
if not event then return {} end
local attempt = redis.call('HINCRBY', KEYS[2], event, 1)
local wait, next = ARGV[attempt], 0
if wait then
  next = now + wait
  redis.call('ZADD', KEYS[1], next, event)
else
  redis.call('ZREM', KEYS[1], event)
  redis.call('HDEL', KEYS[2], event)
end
return {event, redis.call('ZSCORE', KEYS[3], event) or '0', attempt, string.format('%.0f', next)}
