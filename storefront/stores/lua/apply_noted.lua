-- The ledger was cut and is mended: a line of a sale's history.
-- KEYS[1] sale   KEYS[2] changes
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] epoch of the record
-- ARGV[5] change id   ARGV[6] the line
-- Returns "noted", "void" (that mending is over), "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end
local word = 'void'
if ARGV[3] == ARGV[4] then
  redis.call('HSET', KEYS[2], ARGV[5], ARGV[6])
  word = 'noted'
end
applied(KEYS[1], ARGV[2])
return word
