-- May the person be told yes, now that the registration stands in the ledger? If so the account is active at once.
-- KEYS[1] account   KEYS[2] agenda   ARGV[1] account id   ARGV[2] epoch of the claim   ARGV[3] name
-- Returns "active" or "gone".
local account = redis.call('HMGET', KEYS[1], 'id', 'state')
if account[1] ~= ARGV[1] then return 'gone' end
if account[2] == 'claimed' and epoch_in_force() == ARGV[2] then
  redis.call('HSET', KEYS[1], 'state', 'active')
  redis.call('ZREM', KEYS[2], ARGV[3])
  return 'active'
end
return account[2] == 'active' and 'active' or 'gone'
