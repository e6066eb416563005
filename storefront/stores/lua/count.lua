-- Count a request at each of its limits, up to the first that is over.
-- KEYS[n] a limit's counter   ARGV[2n-1] how many it allows   ARGV[2n] seconds until it begins anew
-- Returns {count, ms until it begins anew, …}, nothing for those behind one that is over.
local told = {}
for n, counter in ipairs(KEYS) do
  local count = redis.call('INCR', counter)
  if count == 1 then redis.call('EXPIRE', counter, ARGV[2 * n]) end
  told[2 * n - 1], told[2 * n] = count, redis.call('PTTL', counter)
  if count > tonumber(ARGV[2 * n - 1]) then break end
end
return told
