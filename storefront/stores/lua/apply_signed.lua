-- A new epoch begins at this place in the ledger. If it is the one in force, this opens the sale, or the accounts.
-- Reservations that still stand can't become orders any more (their requests would stand in front of this place, or are
-- refused behind it), so their units go back.
-- KEYS[1] sale, or accounts   KEYS[2] buyers   KEYS[3] agenda (a sale's; none for the accounts)
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed   ARGV[4] what order keys begin with
-- Returns "signed", "promised" (one that stands was told yes: its request stood in front of this place, and the ledger has
-- lost it), "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local standing = {}
for _, order in ipairs(KEYS[3] and redis.call('ZRANGE', KEYS[3], 0, -1) or {}) do
  local found = redis.call('HMGET', ARGV[4] .. order, 'state', 'shopper', 'promised')
  if found[1] == 'reserved' or found[1] == 'releasing' then
    if found[3] then return 'promised' end
    standing[order] = found[2]
  end
end
for order, shopper in pairs(standing) do
  move(KEYS[1], 'reserved', 'stock', units_of(ARGV[4] .. order))
  let_go(KEYS[2], shopper, order)
  redis.call('ZREM', KEYS[3], order)
  redis.call('DEL', ARGV[4] .. order)
end
redis.call('HSET', KEYS[1], 'signed', ARGV[3])
applied(KEYS[1], ARGV[2])
return 'signed'
