-- What the sweep must do for one sale. Reservations in doubt are marked "releasing", so that confirm can no longer say yes.
-- KEYS[1] agenda   KEYS[2] sale
-- ARGV[1] what order keys begin with   ARGV[2] how many at most   ARGV[3] ms until the same order is looked at again
-- Returns order, task, epoch, order, task, epoch, …, with the epoch of a reservation, empty for others. Tasks: "request"
-- (promised: append its request again), "release", "expire", "refund", "check" (freed: did money come after all?), or
-- "revoke" (the sale was called off).
local now = now_ms()
local tasks = {}
local called_off = redis.call('HGET', KEYS[2], 'called_off') == '1'
for _, order in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  local key = ARGV[1] .. order
  local found = redis.call('HMGET', key, 'state', 'refund', 'promised', 'epoch')
  local state, task, epoch = found[1], nil, ''
  if found[2] == 'due' then
    task = 'refund'
  elseif state == 'reserved' and found[3] then
    task = 'request'
  elseif state == 'reserved' or state == 'releasing' then
    redis.call('HSET', key, 'state', 'releasing')
    task, epoch = 'release', found[4]
  elseif called_off and (state == 'pending' or state == 'paid') then
    task = 'revoke'
  elseif state == 'pending' then
    task = 'expire'
  elseif state == 'expired' or state == 'cancelled' then
    task = 'check'
  end
  if task then
    redis.call('ZADD', KEYS[1], now + ARGV[3], order)
    tasks[#tasks + 1] = order
    tasks[#tasks + 1] = task
    tasks[#tasks + 1] = epoch
  else
    redis.call('ZREM', KEYS[1], order)
  end
end
return tasks
