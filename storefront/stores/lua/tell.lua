-- Add many requests to the counters of limits, at once.
-- KEYS[n] a limit's counter   ARGV[2n-1] how many to add   ARGV[2n] seconds until it begins anew
-- Returns {count, ms until it begins anew, …}.
local told = {}
for n, counter in ipairs(KEYS) do
  local count = redis.call('INCRBY', counter, ARGV[2 * n - 1])
  if count == tonumber(ARGV[2 * n - 1]) then redis.call('EXPIRE', counter, ARGV[2 * n]) end
  told[2 * n - 1], told[2 * n] = count, redis.call('PTTL', counter)
end
return told
