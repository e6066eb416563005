-- A request under an idempotency key was carried out: keep its answer, or forget the attempt.
-- KEYS[1] the shopper's answers   ARGV[1] key   ARGV[2] mark of the attempt   ARGV[3] status, 0 to forget   ARGV[4] body
-- ARGV[5] ms to keep it
-- Returns "kept", "forgotten", or "overtaken" (it took so long that another attempt was begun).
local fingerprint, begun, mark = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(%x+) (%d+) %d+ (%x+) 0 ')
if mark ~= ARGV[2] then return 'overtaken' end
if ARGV[3] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 'forgotten'
end
local value = string.format('%s %s %.0f %s %s ', fingerprint, begun, begun + ARGV[5], mark, ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], value .. ARGV[4])
return 'kept'
