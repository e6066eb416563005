-- Take one unit for one shopper. Nearly every request of a flood ends here with a no.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] order   KEYS[4] agenda   KEYS[5] waitlist   KEYS[6] entering
-- ARGV[1] order id   ARGV[2] shopper   ARGV[3] shopper's name   ARGV[4] ms until the sweep doubts the reservation
-- ARGV[5] ms to pay   ARGV[6] when the shopper's account was registered (Unix ms), 0 for long ago
-- ARGV[7] until when it is on probation (Unix ms), 0 for never   ARGV[8] ms after the begin from which it then may buy
-- Returns {word, at, epoch, pay_by, detail…} with word one of "reserved", "repeat" (this order id is known; the first
-- answer's facts), "no_sale", "recovering", "not_started", "ended", "account_too_new" (when it may buy, now, when the sale
-- ends, all in Unix ms; "put_back" for one on probation), "noted" (the sale draws, and they enter: see note_entry), "over" (it
-- drew, and they didn't), "limit_reached" (detail: the orders held), "all_held", "sold_out", "paused", "sale_cancelled". at
-- and pay_by in Unix ms.
local order = redis.call('HMGET', KEYS[3], 'state', 'at', 'epoch', 'pay_by')
if order[1] then return {'repeat', order[2] or '', order[3] or '', order[4] or ''} end

local sale = redis.call('HMGET', KEYS[1], 'signed', 'begins', 'ends', 'limit', 'stock', 'reserved', 'pending', 'product', 'price', 'currency', 'waiting', 'min_account_age', 'paused', 'called_off', 'draw', 'seed', 'handed_out')
if not sale[2] then return {'no_sale'} end
local epoch = epoch_in_force()
if sale[1] ~= epoch then return {'recovering'} end
local now = now_ms()
if sale[14] == '1' then return {'sale_cancelled'} end
if now < sale[2] * 1000 then return {'not_started'} end
if now >= sale[3] * 1000 then return {'ended'} end
local held = orders_held(KEYS[2], ARGV[2])
if #held >= tonumber(sale[4]) then return {'limit_reached', '', '', '', unpack(held)} end
if sale[13] == '1' then return {'paused'} end
local draws_until = (sale[2] + (sale[15] or 0)) * 1000
local draws = now < draws_until
if tonumber(sale[5]) <= 0 and not draws then
  return {(sale[6] + sale[7] > 0) and 'all_held' or 'sold_out'}
end
local drew = tonumber(sale[15] or 0) > 0 and not draws and not sale[17]
local waits = tonumber(sale[11] or 0) > 0 or (drew and redis.call('ZCARD', KEYS[6]) > 0)
if waits and not draws then -- what was drawn, or came back, is for those who wait
  if not drew then return {'all_held'} end
  return note_entry(KEYS[5], KEYS[6], ARGV[2], ARGV[3], now, ARGV[4], {sale[2], sale[15], sale[16]})
end
local old_enough = tonumber(ARGV[6]) > 0 and ARGV[6] + (sale[12] or 0) * 1000 or 0
local put_back = math.min(ARGV[7], math.max(sale[2] * 1000 + ARGV[8], draws_until))
local may_buy = math.max(old_enough, put_back)
if now < may_buy then
  local why = put_back > old_enough and 'put_back' or ''
  return {'account_too_new', string.format('%.0f', may_buy), string.format('%.0f', now), string.format('%.0f', sale[3] * 1000), why}
end
if draws then return note_entry(KEYS[5], KEYS[6], ARGV[2], ARGV[3], now, ARGV[4], {sale[2], sale[15], sale[16]}) end

local pay_by = reserve_unit(KEYS, ARGV[1], ARGV[2], ARGV[3], epoch, now, ARGV[4], ARGV[5], {sale[8], sale[9], sale[10]})
return {'reserved', string.format('%.0f', now), epoch, string.format('%.0f', pay_by)}
