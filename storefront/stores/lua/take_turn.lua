-- Whose turn it is to be told of events. Until it is ended they stand in no line, so that nobody else can take it; but
-- a turn that takes too long was that of a process that has died, and the merchant is in line again.
-- KEYS[1] merchants to be told something   KEYS[2] those whose turn is taken
-- ARGV[1] ms that a turn takes at most
-- Returns the merchant and until when the turn is theirs (ms), or nothing.
local now = now_ms()
for _, merchant in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('ZREM', KEYS[2], merchant)
  redis.call('ZADD', KEYS[1], now, merchant)
end
local merchant = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
if not merchant then return {} end
local ends = now + ARGV[1]
redis.call('ZREM', KEYS[1], merchant)
redis.call('ZADD', KEYS[2], ends, merchant)
return {merchant, string.format('%.0f', ends)}
