-- May the shopper be told yes, now that the request stands in the ledger?
-- KEYS[1] order   ARGV[1] epoch of the reservation
-- A reservation that stands is marked as promised: from here on the sweep sends its request again rather than release it,
-- should the ledger have lost it.
-- Returns "placed" (the worker was here), "standing" (the reservation stands in the epoch in which it was made; the
-- record stands in the ledger before the mark of any later epoch, so it will be placed, whatever happens), or "gone".
local order = redis.call('HMGET', KEYS[1], 'state', 'epoch')
local state = order[1]
if state == 'pending' or state == 'paid' or state == 'expired' or state == 'cancelled' then return 'placed' end
if state == 'reserved' and order[2] == ARGV[1] and epoch_in_force() == ARGV[1] then
  redis.call('HSET', KEYS[1], 'promised', 1)
  return 'standing'
end
return 'gone'
