-- Count a request at each of its limits, up to the first that is over.
-- KEYS[n] a limit's counter   ARGV[2n-1] how many it allows   ARGV[2n] seconds until it begins anew
-- Returns the counts, none for those behind one that is over.
local counts = {}
for n, counter in ipairs(KEYS) do
  counts[n] = redis.call('INCR', counter)
  if counts[n] == 1 then redis.call('EXPIRE', counter, ARGV[2 * n]) end
  if counts[n] > tonumber(ARGV[2 * n - 1]) then break end
end
return counts
