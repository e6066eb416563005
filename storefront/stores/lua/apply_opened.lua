-- Open a sale; or, where the ledger was cut and is mended, put it where Redis knew it to be.
-- KEYS[1] sale   KEYS[2] product   KEYS[3] changes   KEYS[4] refused
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] sale id   ARGV[5] at (ms)
-- ARGV[6] ends (s)   ARGV[7] num   ARGV[8] "1" if it is paused   ARGV[9] "1" if it was called off
-- ARGV[10] epoch of the record, empty if it isn't of a mending   ARGV[11] what the sale's history says of it
-- ARGV[12…] field, value, …
-- Returns "opened", "name_taken" (an earlier sale of the product had not ended at that time), "reopened" (a sale that is
-- known stands as the mending says), "already", "gap" or "another_epoch".
-- One that is refused stays refused: the earlier sale may end otherwise than it was to end when this record was first read.
-- A sale that was over before it was opened takes the name from nobody: it is kept, and the product stays what it was.
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no and no ~= 'missing' then return no end
if not no then
  local word = 'already'
  if ARGV[10] ~= '' and ARGV[10] == ARGV[3] then
    add_units(KEYS[1], ARGV[7] - redis.call('HGET', KEYS[1], 'num'))
    redis.call('HSET', KEYS[1], 'ends', ARGV[6], 'paused', ARGV[8], 'called_off', ARGV[9])
    word = 'reopened'
  end
  applied(KEYS[1], ARGV[2])
  return word
end
local at = tonumber(ARGV[5])
local earlier = redis.call('GET', KEYS[2])
local known = earlier and redis.call('HMGET', string.match(KEYS[1], '^(.*:)[^:]+$') .. earlier, 'ends', 'called_off')
local running = known and known[1] and known[2] ~= '1' and at < known[1] * 1000
if redis.call('EXISTS', KEYS[4]) == 1 then return 'name_taken' end
if running and at < ARGV[6] * 1000 then
  redis.call('SET', KEYS[4], 1)
  return 'name_taken'
end

redis.call('HSET', KEYS[1], 'signed', ARGV[3], 'num', ARGV[7], 'stock', ARGV[7],
  'reserved', 0, 'pending', 0, 'paid', 0, 'expired', 0, 'refund_due', 0, 'refunded', 0, 'waiting', 0,
  'ends', ARGV[6], 'paused', ARGV[8], 'called_off', ARGV[9], unpack(ARGV, 12))
if ARGV[10] == '' then redis.call('HSET', KEYS[3], ARGV[4], ARGV[11]) end
if not running then redis.call('SET', KEYS[2], ARGV[4]) end
applied(KEYS[1], ARGV[2])
return 'opened'
