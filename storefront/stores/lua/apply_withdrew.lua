-- A merchant takes units out of a sale that were reserved for this; they are re-taken where a rollback lost the reservation.
-- KEYS[1] sale   KEYS[2] order   KEYS[3] agenda   KEYS[4] changes
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] epoch of the reservation
-- ARGV[5] order id, which is the change's too   ARGV[6] units   ARGV[7] what the sale's history says of it
-- Returns "withdrawn", "refused" (its epoch is over), "ignored" (released, or withdrawn before; the sale was called off; or
-- another change has this id), "short" (too few units left: the design rules it out), "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local state, units = redis.call('HGET', KEYS[2], 'state'), tonumber(ARGV[6])
local standing = state == 'reserved' or state == 'releasing'
local sale = redis.call('HMGET', KEYS[1], 'stock', 'called_off')
local word
if state and not standing then
  word = 'ignored'
elseif ARGV[3] ~= ARGV[4] then
  word = 'refused'
elseif sale[2] == '1' or redis.call('HEXISTS', KEYS[4], ARGV[5]) == 1 then
  word = 'ignored' -- the sweep gives the units back
elseif not standing and tonumber(sale[1]) < units then
  word = 'short'
else
  if standing then move(KEYS[1], 'reserved', 'stock', units) end
  add_units(KEYS[1], -units)
  redis.call('HSET', KEYS[2], 'state', 'withdrawn', 'shopper', '', 'sale', string.match(KEYS[1], '[^:]+$'))
  redis.call('ZREM', KEYS[3], ARGV[5])
  redis.call('HSET', KEYS[4], ARGV[5], ARGV[7])
  word = 'withdrawn'
end
applied(KEYS[1], ARGV[2])
return word
