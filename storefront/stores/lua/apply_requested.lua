-- Turn a reservation into a pending order; re-take the unit where a rollback lost the reservation. Its shopper waits no more.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] order   KEYS[4] agenda   KEYS[5] waitlist   KEYS[6] waiters
-- KEYS[7] the sale's orders
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] order id   ARGV[5] shopper
-- ARGV[6] shopper's name   ARGV[7] epoch of the reservation   ARGV[8] at (ms)   ARGV[9] pay_by (ms)
-- Returns "placed", "refused" (its epoch is over; that leaves no trace, for the same purchase may be tried again in this
-- one), "ignored" (released, or placed before), "short" (no unit left: the design rules it out), "already", "missing" or
-- "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local state = redis.call('HGET', KEYS[3], 'state')
local standing = state == 'reserved' or state == 'releasing'
local word
if state and not standing then
  word = 'ignored'
elseif ARGV[7] ~= ARGV[3] then
  word = 'refused'
elseif standing then
  move(KEYS[1], 'reserved', 'pending')
  word = 'placed'
elseif tonumber(redis.call('HGET', KEYS[1], 'stock')) <= 0 then
  word = 'short'
else
  move(KEYS[1], 'stock', 'pending')
  hold(KEYS[1], KEYS[2], ARGV[5], ARGV[4])
  word = 'placed'
end

if word == 'placed' then
  local sale = redis.call('HMGET', KEYS[1], 'product', 'price', 'currency', 'called_off')
  redis.call('HSET', KEYS[3], 'state', 'pending', 'epoch', ARGV[7], 'shopper', ARGV[5], 'shopper_name', ARGV[6],
    'sale', string.match(KEYS[1], '[^:]+$'), 'product', sale[1], 'amount', sale[2], 'currency', sale[3],
    'at', ARGV[8], 'pay_by', ARGV[9])
  redis.call('ZADD', KEYS[4], sale[4] == '1' and 0 or ARGV[9], ARGV[4])
  redis.call('ZADD', KEYS[7], ARGV[8], ARGV[4])
  leave_waitlist(KEYS[1], KEYS[5], KEYS[6], ARGV[5])
elseif word == 'short' then
  redis.call('HSET', KEYS[3], 'state', 'refused', 'shopper', ARGV[5], 'sale', string.match(KEYS[1], '[^:]+$'))
end
applied(KEYS[1], ARGV[2])
return word
