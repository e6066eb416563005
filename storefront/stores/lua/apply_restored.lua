-- The ledger was cut and an order's records with it: bring the order forward to where Redis knew it to be, never back.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] order   KEYS[4] agenda
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] order id   ARGV[4] state   ARGV[5] shopper   ARGV[6] shopper's name
-- ARGV[7] at (ms, "0" for a tombstone)   ARGV[8] pay_by (ms)   ARGV[9] charge   ARGV[10] refund
-- Returns "restored", "ignored", "short" (no unit left: the design rules it out), "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local RANK = {reserved = 1, releasing = 1, refused = 2, pending = 3, expired = 4, cancelled = 4, released = 4, paid = 4}
local COUNTER = {reserved = 'reserved', releasing = 'reserved', pending = 'pending', paid = 'paid'}
local state, wanted = redis.call('HGET', KEYS[3], 'state'), ARGV[4]
local from, to = COUNTER[state] or 'stock', COUNTER[wanted] or 'stock'
local word = 'restored'
if (RANK[state] or 0) >= RANK[wanted] then
  word = 'ignored'
elseif from == 'stock' and to ~= 'stock' and tonumber(redis.call('HGET', KEYS[1], 'stock')) <= 0 then
  word = 'short'
end

if word == 'restored' then
  if from ~= to then move(KEYS[1], from, to) end
  if from == 'stock' and to ~= 'stock' then hold(KEYS[2], ARGV[5], ARGV[3]) end
  if from ~= 'stock' and to == 'stock' then let_go(KEYS[2], ARGV[5], ARGV[3]) end
  if wanted == 'expired' then redis.call('HINCRBY', KEYS[1], 'expired', 1) end
  redis.call('HSET', KEYS[3], 'state', wanted, 'sale', string.match(KEYS[1], '[^:]+$'))
  if ARGV[7] ~= '0' then
    local sale = redis.call('HMGET', KEYS[1], 'product', 'price', 'currency')
    redis.call('HSET', KEYS[3], 'shopper', ARGV[5], 'shopper_name', ARGV[6], 'at', ARGV[7], 'pay_by', ARGV[8],
      'product', sale[1], 'amount', sale[2], 'currency', sale[3])
  end
  if wanted == 'pending' then
    redis.call('ZADD', KEYS[4], ARGV[8], ARGV[3])
  else
    redis.call('ZREM', KEYS[4], ARGV[3])
  end
end
local known = redis.call('HMGET', KEYS[3], 'charge', 'refund')
local charge, refund = ARGV[9], ARGV[10]
if word ~= 'short' and charge ~= '' and not known[1] then
  redis.call('HSET', KEYS[3], 'charge', charge)
  if refund ~= '' then set_refund(KEYS[1], KEYS[3], refund) end
elseif charge == known[1] and known[2] == 'due' and refund == 'done' then
  set_refund(KEYS[1], KEYS[3], 'done')
  redis.call('ZREM', KEYS[4], ARGV[3])
end
if redis.call('HGET', KEYS[3], 'refund') == 'due' then redis.call('ZADD', KEYS[4], now_ms(), ARGV[3]) end
applied(KEYS[1], ARGV[2])
return word
