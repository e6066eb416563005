-- Make an account active. The first registration of a name in the ledger has it, until it is deleted.
-- KEYS[1] account   KEYS[2] accounts   KEYS[3] agenda   KEYS[4] gone
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] name   ARGV[5] account id
-- ARGV[6] epoch of the claim   ARGV[7…] field, value, …
-- Returns "active", "refused", "ignored", "already", "missing" or "another_epoch".
local no = guard(KEYS[2], ARGV[1], ARGV[2])
if no then return no end

local account = redis.call('HMGET', KEYS[1], 'id', 'state')
local mine, active = account[1] == ARGV[5], account[2] == 'active'
local word
if active then
  word = 'ignored'
elseif redis.call('HEXISTS', KEYS[4], ARGV[5]) == 1 then
  word = 'ignored'
elseif ARGV[6] ~= ARGV[3] then
  if mine then
    redis.call('DEL', KEYS[1])
    redis.call('ZREM', KEYS[3], ARGV[4])
  end
  word = 'refused'
else
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'id', ARGV[5], 'state', 'active', unpack(ARGV, 7))
  redis.call('ZREM', KEYS[3], ARGV[4])
  word = 'active'
end
applied(KEYS[2], ARGV[2])
return word
