-- How a sale stands, for those who may refuse by it and nothing else. Changes nothing.
-- KEYS[1] sale   KEYS[2] buyers   ARGV[1] the mark that the caller knows   ARGV[2] the most buyers to name
-- Returns {now (ms), begins, ends, stock, unpaid, waiting, mark}, and behind it, if no unit is for sale, the mark is another
-- and there are few enough, the shoppers who hold units; nothing for a sale that isn't there or is closed by its epoch.
-- Under one mark nobody came to hold a unit or ceased to: the one takes stock, the other is an applied record.
local sale = redis.call('HMGET', KEYS[1], 'signed', 'position', 'begins', 'ends', 'stock', 'reserved', 'pending', 'waiting')
if not sale[1] or sale[1] ~= epoch_in_force() then return {} end
local mark = table.concat({sale[1], sale[2], sale[5]}, ' ')
local waiting = tonumber(sale[8] or 0)
local told = {string.format('%.0f', now_ms()), sale[3], sale[4], sale[5], sale[6] + sale[7], waiting, mark}
if (tonumber(sale[5]) <= 0 or waiting > 0) and mark ~= ARGV[1] and redis.call('HLEN', KEYS[2]) <= tonumber(ARGV[2]) then
  told[8] = redis.call('HKEYS', KEYS[2])
end
return told
