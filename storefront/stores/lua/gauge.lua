-- How a sale stands, for those who may refuse by it and nothing else. Changes nothing.
-- KEYS[1] sale   KEYS[2] buyers   ARGV[1] the mark that the caller knows   ARGV[2] the most buyers to name
-- Returns {now (ms), begins, ends, stock, unpaid, waiting, "selling" or "paused" or "sale_cancelled", mark, when its draw
-- closes, or its begin where that is done}, and behind it, if no unit is for sale, the mark is another and there are few enough, the shoppers who hold units;
-- nothing for a sale that isn't there or is closed by its epoch.
-- Under one mark nobody came to hold a unit. Somebody may have ceased to, who is then taken for one who might hold one.
local sale = redis.call('HMGET', KEYS[1], 'signed', 'takes', 'begins', 'ends', 'stock', 'reserved', 'pending', 'waiting', 'paused', 'called_off', 'draw', 'handed_out')
if not sale[1] or sale[1] ~= epoch_in_force() then return {} end
local mark = sale[1] .. ' ' .. (sale[2] or 0)
local waiting = tonumber(sale[8] or 0)
local state = sale[10] == '1' and 'sale_cancelled' or sale[9] == '1' and 'paused' or 'selling'
local told = {string.format('%.0f', now_ms()), sale[3], sale[4], sale[5], sale[6] + sale[7], waiting, state, mark, sale[3] + (sale[12] and 0 or sale[11] or 0)}
if (tonumber(sale[5]) <= 0 or waiting > 0 or state ~= 'selling') and mark ~= ARGV[1] and redis.call('HLEN', KEYS[2]) <= tonumber(ARGV[2]) then
  told[10] = redis.call('HKEYS', KEYS[2])
end
return told
