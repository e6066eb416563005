-- Take units that are nobody's, for the sale to have so many less: a reservation, until the ledger says so.
-- KEYS[1] sale   KEYS[2] order   KEYS[3] agenda
-- ARGV[1] order id   ARGV[2] units   ARGV[3] ms until the sweep doubts the reservation
-- Returns {"reserved" or "repeat" (this id is known)}, {"lost"} (so it was, and the units were given back), {"too_few",
-- how many are free}, {"recovering"} or {"no_sale"}.
local state = redis.call('HGET', KEYS[2], 'state')
if state == 'released' then return {'lost'} end
if state then return {'repeat'} end
local sale = redis.call('HMGET', KEYS[1], 'signed', 'stock')
if not sale[2] then return {'no_sale'} end
local epoch = epoch_in_force()
if sale[1] ~= epoch then return {'recovering'} end
if tonumber(sale[2]) < tonumber(ARGV[2]) then return {'too_few', sale[2]} end
move(KEYS[1], 'stock', 'reserved', ARGV[2])
redis.call('HSET', KEYS[2], 'state', 'reserved', 'epoch', epoch, 'units', ARGV[2], 'shopper', '',
  'sale', string.match(KEYS[1], '[^:]+$'))
redis.call('ZADD', KEYS[3], now_ms() + ARGV[3], ARGV[1])
return {'reserved'}
