-- How many reservations a sale counts, and how many there are, at one moment. Takes as long as the sale has unpaid orders
-- (about a microsecond each): for the audit, not for requests.
-- KEYS[1] sale   KEYS[2] agenda   ARGV[1] what order keys begin with
-- Returns {counted, found}.
local found = 0
for _, order in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local state = redis.call('HGET', ARGV[1] .. order, 'state')
  if state == 'reserved' or state == 'releasing' then found = found + units_of(ARGV[1] .. order) end
end
return {tonumber(redis.call('HGET', KEYS[1], 'reserved') or 0), found}
