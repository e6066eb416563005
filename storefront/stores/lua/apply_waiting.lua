-- A shopper joins a sale's waitlist, or leaves it. Its order is that of the ledger's lines, behind those who entered a draw,
-- whose order is that of their numbers: these have negative scores.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] waitlist   KEYS[4] waiters   KEYS[5] entering
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] "joined" or "left"   ARGV[4] shopper   ARGV[5] shopper's name
-- ARGV[6] what order keys begin with   ARGV[7] their number in a draw, 0 for none
-- Returns "joined", "left", "ignored" (waits already; holds all they may; doesn't wait), "already", "missing", "gap" or
-- "another_epoch".
-- Who is noted as entering a draw is so no longer; but while the sale isn't open a mending may still forget that they wait.
-- Only placed orders count for the limit: a replay of the ledger knows no others.
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local word = 'ignored'
if ARGV[3] == 'joined' then
  local live = 0
  for _, order in ipairs(orders_held(KEYS[2], ARGV[4])) do
    local state = redis.call('HGET', ARGV[6] .. order, 'state')
    if state == 'pending' or state == 'paid' then live = live + 1 end
  end
  if redis.call('HGET', KEYS[1], 'signed') == ARGV[1] then redis.call('ZREM', KEYS[5], ARGV[4] .. ' ' .. ARGV[5]) end
  local waits = redis.call('ZSCORE', KEYS[3], ARGV[4])
  if not waits and live < tonumber(redis.call('HGET', KEYS[1], 'limit')) then
    local number = tonumber(ARGV[7])
    redis.call('ZADD', KEYS[3], number > 0 and string.format('%.0f', number - 2 ^ 53) or (read_place(ARGV[2])), ARGV[4])
    redis.call('HSET', KEYS[4], ARGV[4], ARGV[5])
    redis.call('HINCRBY', KEYS[1], 'waiting', 1)
    word = 'joined'
  end
elseif leave_waitlist(KEYS[1], KEYS[3], KEYS[4], ARGV[4]) then
  word = 'left'
end
applied(KEYS[1], ARGV[2])
return word
