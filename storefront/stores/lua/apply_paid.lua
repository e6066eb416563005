-- The provider took the money: the order is paid. Where it was paid by another charge, or the ledger says it ended before,
-- this one is due back; the charge that paid it stays.
-- KEYS[1] sale   KEYS[2] order   KEYS[3] agenda   KEYS[4] the sale's payments
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] order id   ARGV[4] charge   ARGV[5] at (ms)
-- Returns "paid", "too_late", "ignored" (a charge that is known, or nothing to give back), "already", "missing" or
-- "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local order = redis.call('HMGET', KEYS[2], 'state', 'charge')
local word
if return_of(KEYS[2], ARGV[4]) then
  word = 'ignored'
elseif order[1] == 'pending' then
  move(KEYS[1], 'pending', 'paid')
  redis.call('HSET', KEYS[2], 'state', 'paid', 'charge', ARGV[4], 'paid_at', ARGV[5])
  if redis.call('HGET', KEYS[1], 'called_off') == '1' then
    redis.call('ZADD', KEYS[3], 0, ARGV[3]) -- it will be revoked
  else
    redis.call('ZREM', KEYS[3], ARGV[3])
  end
  redis.call('ZADD', KEYS[4], ARGV[5], ARGV[3])
  word = 'paid'
elseif order[2] == ARGV[4] or ARGV[4] == 'free' then
  word = 'ignored'
else
  redis.call('HSETNX', KEYS[2], 'charge', ARGV[4])
  redis.call('HSETNX', KEYS[2], 'sale', string.match(KEYS[1], '[^:]+$')) -- by which a mending finds it
  set_return(KEYS[1], KEYS[2], ARGV[4], 'due')
  redis.call('ZADD', KEYS[3], now_ms(), ARGV[3])
  word = 'too_late'
end
applied(KEYS[1], ARGV[2])
return word
