-- Take one unit for whoever has waited longest: a purchase that the sweep makes for them.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] order   KEYS[4] agenda   KEYS[5] waitlist   KEYS[6] waiters
-- ARGV[1] order id   ARGV[2] what order keys begin with   ARGV[3] ms until the sweep doubts the reservation
-- ARGV[4] ms to pay
-- Returns {"offered", shopper, shopper's name, at, epoch, pay_by}, or {"nothing"}: no unit, nobody who may have it, or the
-- sale isn't open or is paused. at and pay_by in Unix ms.
-- Whoever is offered a unit waits on until the order is placed. Should its request not get through, the sweep takes the
-- unit back, and offers it to them again.
local sale = redis.call('HMGET', KEYS[1], 'signed', 'begins', 'ends', 'limit', 'stock', 'waiting', 'product', 'price', 'currency', 'paused', 'called_off')
if not sale[2] or tonumber(sale[6] or 0) <= 0 or tonumber(sale[5]) <= 0 then return {'nothing'} end
if sale[10] == '1' or sale[11] == '1' then return {'nothing'} end
local epoch, now = epoch_in_force(), now_ms()
if sale[1] ~= epoch or now < sale[2] * 1000 or now >= sale[3] * 1000 then return {'nothing'} end

-- Not one who is being served: an order of theirs is being placed.
local function may_have(shopper)
  local held = orders_held(KEYS[2], shopper)
  for _, order in ipairs(held) do
    local state = redis.call('HGET', ARGV[2] .. order, 'state')
    if state == 'reserved' or state == 'releasing' then return false end
  end
  return #held < tonumber(sale[4])
end

local shopper
local from, piece = 0, 100
repeat
  local some = redis.call('ZRANGE', KEYS[5], from, from + piece - 1)
  for _, one in ipairs(some) do
    if may_have(one) then
      shopper = one
      break
    end
  end
  from = from + piece
until shopper or #some < piece
if not shopper then return {'nothing'} end

local name = redis.call('HGET', KEYS[6], shopper) or ''
local pay_by = reserve_unit(KEYS, ARGV[1], shopper, name, epoch, now, ARGV[3], ARGV[4], {sale[7], sale[8], sale[9]})
return {'offered', shopper, name, string.format('%.0f', now), epoch, string.format('%.0f', pay_by)}
