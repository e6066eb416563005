-- Take a unit each for those who have waited longest: purchases that the sweep makes for them.
-- KEYS[1] sale   KEYS[2] buyers   KEYS[3] agenda   KEYS[4] waitlist   KEYS[5] waiters   KEYS[6] entering   KEYS[7…] orders
-- ARGV[1] what order keys begin with   ARGV[2] ms until the sweep doubts the reservation
-- ARGV[3] ms to pay   ARGV[4] the same for those to whom a draw hands its units out
-- ARGV[5] the score behind which to begin, "-inf" for in front   ARGV[6…] order ids
-- Returns {at, epoch, the last score looked at, then for each order that was made: shopper, shopper's name, pay_by}, or
-- nothing: the sale isn't open, is paused, still draws, or somebody is still entering; or there is no unit, or nobody who may
-- have it. Moments in Unix ms.
-- Once a draw has handed out what it has, or has nobody left, its sale is noted to be "handed_out": what comes back later is
-- offered as in any other sale.
-- Whoever is offered a unit waits on until the order is placed. Should its request not get through, the sweep takes the
-- unit back, and offers it to them again.
local sale = redis.call('HMGET', KEYS[1], 'signed', 'begins', 'ends', 'limit', 'stock', 'waiting', 'product', 'price', 'currency', 'paused', 'called_off', 'draw', 'handed_out')
if not sale[2] then return {} end
if sale[10] == '1' or sale[11] == '1' then return {} end
local epoch, now = epoch_in_force(), now_ms()
local opens = (sale[2] + (sale[12] or 0)) * 1000
if sale[1] ~= epoch or now < opens or now >= sale[3] * 1000 then return {} end
if redis.call('ZCARD', KEYS[6]) > 0 then return {} end -- else those who came in time might be passed over

local hands_out = tonumber(sale[12] or 0) > 0 and not sale[13]
local function is_done()
  if hands_out then redis.call('HSET', KEYS[1], 'handed_out', 1) end
end
if tonumber(sale[6] or 0) <= 0 or tonumber(sale[5]) <= 0 then
  is_done()
  return {}
end
if redis.call('EXISTS', KEYS[7]) == 1 then return {} end -- it ran before: what it made then, the sweep finds in doubt

-- Not one who is being served: an order of theirs is being placed.
local function may_have(shopper)
  local held = orders_held(KEYS[2], shopper)
  for _, order in ipairs(held) do
    local state = redis.call('HGET', ARGV[1] .. order, 'state')
    if state == 'reserved' or state == 'releasing' then return false end
  end
  return #held < tonumber(sale[4])
end

local made, most = 0, math.min(#ARGV - 5, tonumber(sale[5]))
local told = {string.format('%.0f', now), epoch, ARGV[5]}
local function offer_to(shopper, score)
  local name = redis.call('HGET', KEYS[5], shopper) or ''
  local pay_ms = hands_out and tonumber(score) < 0 and ARGV[4] or ARGV[3]
  local keys = {KEYS[1], KEYS[2], KEYS[7 + made], KEYS[3]}
  local pay_by = reserve_unit(keys, ARGV[6 + made], shopper, name, epoch, now, ARGV[2], pay_ms, {sale[7], sale[8], sale[9]})
  made = made + 1
  told[#told + 1] = shopper
  told[#told + 1] = name
  told[#told + 1] = string.format('%.0f', pay_by)
end

local piece = 100
repeat
  local from = told[3] == '-inf' and told[3] or '(' .. told[3]
  local some = redis.call('ZRANGEBYSCORE', KEYS[4], from, '+inf', 'WITHSCORES', 'LIMIT', 0, piece)
  for n = 1, #some, 2 do
    if made < most and may_have(some[n]) then offer_to(some[n], some[n + 1]) end
    if made < most then told[3] = some[n + 1] end
  end
until made >= most or #some < 2 * piece
if made < most or made == tonumber(sale[5]) then is_done() end
if made == 0 then return {} end
return told
