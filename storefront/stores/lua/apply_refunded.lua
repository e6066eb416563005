-- The provider gave back money that was due back. The sweep looks at the order once more: something else may be due.
-- KEYS[1] sale   KEYS[2] order   KEYS[3] agenda
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] order id   ARGV[4] charge
-- Returns "refunded", "ignored", "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local word = 'ignored'
if return_of(KEYS[2], ARGV[4]) == 'due' then
  set_return(KEYS[1], KEYS[2], ARGV[4], 'done')
  local order = redis.call('HMGET', KEYS[2], 'state', 'pay_by')
  redis.call('ZADD', KEYS[3], order[1] == 'pending' and order[2] or now_ms(), ARGV[3])
  word = 'refunded'
end
applied(KEYS[1], ARGV[2])
return word
