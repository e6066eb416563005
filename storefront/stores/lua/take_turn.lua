-- Whose turn it is to be told of events. Until they had it, or the one who took it has died of it, they get no other one,
-- unless something new is noted.
-- KEYS[1] merchants to be told something
-- ARGV[1] ms that a turn takes at most
-- Returns the merchant, or nothing.
local now = now_ms()
local merchant = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
if merchant then redis.call('ZADD', KEYS[1], now + ARGV[1], merchant) end
return merchant
