-- Who entered a draw some time ago, of whom no record was applied: it must be sent again.
-- KEYS[1] entering   KEYS[2] sale   ARGV[1] how many at most   ARGV[2] ms until the same one is looked at again
-- Returns the seed of the draw and, behind it, each as entering has them.
local now = now_ms()
local told = {redis.call('HGET', KEYS[2], 'seed') or ''}
for _, one in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], one)
  told[#told + 1] = one
end
return told
