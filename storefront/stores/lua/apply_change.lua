-- A merchant changes a sale.
-- KEYS[1] sale   KEYS[2] changes   KEYS[3] buyers   KEYS[4] agenda
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] epoch signed in the ledger   ARGV[4] epoch of the change
-- ARGV[5] change id   ARGV[6] what the sale's history says of it   ARGV[7] at (ms)
-- ARGV[8] "paused", "resumed", "restocked", "extended" or "called_off"   ARGV[9] how many units more, or the new end (s)
-- Returns "changed", "refused" (its epoch is over), "ignored" (this change was made before; the sale was called off, or is
-- over and can't go on), "already", "missing" or "another_epoch".
local no = guard(KEYS[1], ARGV[1], ARGV[2])
if no then return no end

local sale = redis.call('HMGET', KEYS[1], 'called_off', 'ends', 'product')
local what, word = ARGV[8], 'changed'
if ARGV[3] ~= ARGV[4] then
  word = 'refused'
elseif sale[1] == '1' or redis.call('HEXISTS', KEYS[2], ARGV[5]) == 1 then
  word = 'ignored'
elseif what == 'paused' or what == 'resumed' then
  redis.call('HSET', KEYS[1], 'paused', what == 'paused' and '1' or '0')
elseif what == 'restocked' then
  add_units(KEYS[1], ARGV[9])
elseif what == 'extended' then
  local newest = redis.call('GET', string.match(KEYS[1], '^{.-}:') .. 'product:' .. sale[3])
  local is_newest = newest == string.match(KEYS[1], '[^:]+$')
  if is_newest and tonumber(ARGV[7]) < sale[2] * 1000 and tonumber(ARGV[9]) > tonumber(sale[2]) then
    redis.call('HSET', KEYS[1], 'ends', ARGV[9])
  else
    word = 'ignored'
  end
else
  redis.call('HSET', KEYS[1], 'called_off', '1')
  -- the sweep revokes what is held; what is placed or paid from here on comes into its agenda by itself
  for _, orders in ipairs(redis.call('HVALS', KEYS[3])) do
    for order in string.gmatch(orders, '%S+') do redis.call('ZADD', KEYS[4], 0, order) end
  end
end
if word == 'changed' then redis.call('HSET', KEYS[2], ARGV[5], ARGV[6]) end
applied(KEYS[1], ARGV[2])
return word
