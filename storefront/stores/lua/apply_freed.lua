-- Give an order's unit back: it was released, expired or cancelled.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] order   KEYS[4] agenda
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] order id   ARGV[4] "released", "expired" or "cancelled"
-- ARGV[5] ms until the sweep asks the payment provider once more about an order that was freed
-- ARGV[6] epoch signed in the ledger   ARGV[7] epoch of the reservation that is released
-- Returns "freed", "tombstone" (the order wasn't known; a request that comes later is ignored), "ignored" (too late; or a
-- release of an epoch that is over, which may not touch what was reserved anew), "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local why = ARGV[4]
local order = redis.call('HMGET', KEYS[3], 'state', 'shopper')
local state = order[1]
local word = 'ignored'
if why == 'released' and ARGV[7] ~= ARGV[6] then
  word = 'ignored'
elseif not state and why ~= 'expired' then
  redis.call('HSET', KEYS[3], 'state', why, 'sale', string.match(KEYS[1], '[^:]+$'))
  word = 'tombstone'
elseif state == 'reserved' or state == 'releasing' then
  if why ~= 'expired' then
    move(KEYS[1], 'reserved', 'stock', units_of(KEYS[3]))
    word = 'freed'
  end
elseif state == 'pending' and why ~= 'released' then
  move(KEYS[1], 'pending', 'stock')
  if why == 'expired' then redis.call('HINCRBY', KEYS[1], 'expired', 1) end
  word = 'freed'
end
if word == 'freed' then
  redis.call('HSET', KEYS[3], 'state', why)
  let_go(KEYS[2], order[2], ARGV[3])
  if state == 'pending' then
    redis.call('ZADD', KEYS[4], now_ms() + ARGV[5], ARGV[3])
  else
    redis.call('ZREM', KEYS[4], ARGV[3])
  end
end
applied(KEYS[1], ARGV[2])
return word
