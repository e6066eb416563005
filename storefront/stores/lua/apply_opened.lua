-- Open a sale.
-- KEYS[1] sale   KEYS[2] product
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] sale id   ARGV[5] at (ms)
-- ARGV[6] num   ARGV[7…] field, value, …
-- Returns "opened", "name_taken" (an earlier sale of the product had not ended at that time), "already" or "another_epoch".
if epoch_in_force() ~= ARGV[1] then return 'another_epoch' end
if redis.call('EXISTS', KEYS[1]) == 1 then return 'already' end
local earlier = redis.call('GET', KEYS[2])
if earlier then
  local ends = redis.call('HGET', string.match(KEYS[1], '^(.*:)[^:]+$') .. earlier, 'ends')
  if ends and tonumber(ARGV[5]) < ends * 1000 then return 'name_taken' end
end
redis.call('HSET', KEYS[1], 'stock', ARGV[6], 'num', ARGV[6], 'reserved', 0, 'pending', 0, 'paid', 0, 'expired', 0,
  'signed', ARGV[3], unpack(ARGV, 7))
redis.call('SET', KEYS[2], ARGV[4])
applied(KEYS[1], ARGV[2])
return 'opened'
