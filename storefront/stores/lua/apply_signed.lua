-- Open a sale, or the accounts, to the epoch that begins at this place in the ledger. An earlier epoch opens nothing.
-- KEYS[1] sale or accounts
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed
-- Returns "signed", "past" (an epoch that is over), "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end
local word = 'past'
if ARGV[3] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'signed', ARGV[3])
  word = 'signed'
end
applied(KEYS[1], ARGV[2])
return word
