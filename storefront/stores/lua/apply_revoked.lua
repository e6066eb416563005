-- The order's sale was called off: end it, paid or not. Money that was taken for it is due back.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] order   KEYS[4] agenda   KEYS[5] the sale's payments
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] order id
-- ARGV[4] ms until the sweep asks the payment provider once more about an order that wasn't paid
-- Returns "revoked", "ignored", "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local order = redis.call('HMGET', KEYS[3], 'state', 'shopper', 'charge')
local state, word = order[1], 'ignored'
if state == 'pending' or state == 'paid' then
  move(KEYS[1], state, 'stock')
  let_go(KEYS[2], order[2], ARGV[3])
  redis.call('ZREM', KEYS[5], ARGV[3])
  redis.call('HSET', KEYS[3], 'state', 'cancelled')
  if state == 'pending' then
    redis.call('ZADD', KEYS[4], now_ms() + ARGV[4], ARGV[3])
  else
    if order[3] and order[3] ~= 'free' and not return_of(KEYS[3], order[3]) then
      set_return(KEYS[1], KEYS[3], order[3], 'due')
    end
    redis.call('ZADD', KEYS[4], now_ms(), ARGV[3])
  end
  word = 'revoked'
end
applied(KEYS[1], ARGV[2])
return word
