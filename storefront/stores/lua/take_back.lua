-- Take one back from each of these counters of limits. One that has run out meanwhile stays empty.
-- KEYS[n] a limit's counter
-- Returns "done".
for _, counter in ipairs(KEYS) do
  if tonumber(redis.call('GET', counter) or 0) > 0 then redis.call('DECR', counter) end
end
return 'done'
