-- The ledger was cut and is mended: put an order exactly where Redis knew it to be. Whoever holds a unit by it waits no more.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] order   KEYS[4] agenda   KEYS[5] the sale's orders   KEYS[6] the sale's payments
-- KEYS[7] waitlist   KEYS[8] waiters
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] epoch of the record
-- ARGV[5] order id   ARGV[6] state   ARGV[7] shopper   ARGV[8] shopper's name   ARGV[9] at (ms, "0" for a tombstone)
-- ARGV[10] pay_by (ms)   ARGV[11] charge   ARGV[12] returns
-- ARGV[13] ms until the sweep asks the payment provider once more about an order that was freed
-- ARGV[14] when it was paid (ms, "0" if it wasn't)
-- Returns "restored", "void" (that mending is over), "short" (no unit left: the design rules it out), "already",
-- "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local COUNTER = {reserved = 'reserved', releasing = 'reserved', pending = 'pending', paid = 'paid'}
local id, wanted = ARGV[5], ARGV[6]
local before = redis.call('HMGET', KEYS[3], 'state', 'shopper')
local from, to = COUNTER[before[1]] or 'stock', COUNTER[wanted] or 'stock'
local word = 'restored'
if ARGV[3] ~= ARGV[4] then
  word = 'void'
elseif from == 'stock' and to ~= 'stock' and tonumber(redis.call('HGET', KEYS[1], 'stock')) <= 0 then
  word = 'short'
end

if word == 'restored' then
  if from ~= to then move(KEYS[1], from, to) end
  if from ~= 'stock' then let_go(KEYS[2], before[2], id) end
  if to ~= 'stock' then
    hold(KEYS[1], KEYS[2], ARGV[7], id)
    leave_waitlist(KEYS[1], KEYS[7], KEYS[8], ARGV[7])
  end
  if before[1] == 'expired' then redis.call('HINCRBY', KEYS[1], 'expired', -1) end
  if wanted == 'expired' then redis.call('HINCRBY', KEYS[1], 'expired', 1) end
  local owed = REFUNDS[redis.call('HGET', KEYS[3], 'refund')]
  if owed then redis.call('HINCRBY', KEYS[1], owed, -1) end
  redis.call('DEL', KEYS[3])
  redis.call('HSET', KEYS[3], 'state', wanted, 'sale', string.match(KEYS[1], '[^:]+$'))
  if ARGV[9] ~= '0' then
    local sale = redis.call('HMGET', KEYS[1], 'product', 'price', 'currency')
    redis.call('HSET', KEYS[3], 'shopper', ARGV[7], 'shopper_name', ARGV[8], 'at', ARGV[9], 'pay_by', ARGV[10],
      'product', sale[1], 'amount', sale[2], 'currency', sale[3])
    redis.call('ZADD', KEYS[5], ARGV[9], id)
  end
  if wanted == 'paid' then redis.call('ZADD', KEYS[6], ARGV[14], id) else redis.call('ZREM', KEYS[6], id) end
  if ARGV[11] ~= '' then redis.call('HSET', KEYS[3], 'charge', ARGV[11]) end
  if ARGV[14] ~= '0' then redis.call('HSET', KEYS[3], 'paid_at', ARGV[14]) end
  if ARGV[12] ~= '' then set_returns(KEYS[1], KEYS[3], ARGV[12]) end

  if redis.call('HGET', KEYS[3], 'refund') == 'due' then
    redis.call('ZADD', KEYS[4], now_ms(), id)
  elseif (wanted == 'pending' or wanted == 'paid') and redis.call('HGET', KEYS[1], 'called_off') == '1' then
    redis.call('ZADD', KEYS[4], 0, id)
  elseif wanted == 'pending' then
    redis.call('ZADD', KEYS[4], ARGV[10], id)
  elseif (wanted == 'expired' or wanted == 'cancelled') and ARGV[11] == '' and ARGV[9] ~= '0' then
    redis.call('ZADD', KEYS[4], now_ms() + ARGV[13], id)
  else
    redis.call('ZREM', KEYS[4], id)
  end
end
applied(KEYS[1], ARGV[2])
return word
