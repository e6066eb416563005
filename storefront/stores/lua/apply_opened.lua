-- Open a sale.
-- KEYS[1] sale   KEYS[2] product
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] sale id   ARGV[5] at (ms)
-- ARGV[6] ends (s)   ARGV[7] num   ARGV[8…] field, value, …
-- Returns "opened", "name_taken" (an earlier sale of the product had not ended at that time), "already", "gap" or
-- "another_epoch".
-- A sale that was over before it was opened takes the name from nobody: it is kept, and the product stays what it was.
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no and no ~= 'missing' then return no end
if not no then
  applied(KEYS[1], ARGV[2])
  return 'already'
end
local at = tonumber(ARGV[5])
local earlier = redis.call('GET', KEYS[2])
local ends = earlier and redis.call('HGET', string.match(KEYS[1], '^(.*:)[^:]+$') .. earlier, 'ends')
local running = ends and at < ends * 1000
if running and at < ARGV[6] * 1000 then return 'name_taken' end

redis.call('HSET', KEYS[1], 'signed', ARGV[3], 'num', ARGV[7], 'stock', ARGV[7],
  'reserved', 0, 'pending', 0, 'paid', 0, 'expired', 0, 'refund_due', 0, 'refunded', 0, 'waiting', 0,
  'ends', ARGV[6], unpack(ARGV, 8))
if not running then redis.call('SET', KEYS[2], ARGV[4]) end
applied(KEYS[1], ARGV[2])
return 'opened'
