-- The provider gave back money that came too late.
-- KEYS[1] sale   KEYS[2] order   KEYS[3] agenda
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] order id
-- Returns "refunded", "ignored", "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local word = 'ignored'
if redis.call('HGET', KEYS[2], 'refund') == 'due' then
  set_refund(KEYS[1], KEYS[2], 'done')
  redis.call('ZREM', KEYS[3], ARGV[3])
  word = 'refunded'
end
applied(KEYS[1], ARGV[2])
return word
