-- The ledger was cut: forget all orders of a sale, or all accounts; the records that follow tell them anew.
-- KEYS[1] sale, or accounts   KEYS[2…] all that is forgotten
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] what the mending signs, an epoch that is never in force
-- Returns "forgotten", "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

for key = 2, #KEYS do redis.call('DEL', KEYS[key]) end
local num = redis.call('HGET', KEYS[1], 'num')
if num then
  redis.call('HSET', KEYS[1], 'stock', num, 'reserved', 0, 'pending', 0, 'paid', 0, 'expired', 0,
    'refund_due', 0, 'refunded', 0, 'waiting', 0)
end
redis.call('HSET', KEYS[1], 'signed', ARGV[3])
applied(KEYS[1], ARGV[2])
return 'forgotten'
