-- Stands in front of every script: the epoch, the clock, the guard of the ledger's scripts, and the moves of a unit.
--
-- Every script keeps conservation by itself: stock + reserved + pending + paid = num.

-- The id of Redis's history. It changes whenever history may have changed: the first half at each restart and each
-- promotion, the second when Redis was emptied (the order worker then writes another, see begin.lua).
local function epoch_in_force()
  local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  return history .. (redis.call('GET', 'epoch:birth') or '')
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Where a record stands: its offset, and behind a space the offset of the record of the same sale (or of the accounts)
-- in front of it, if the worker sends both in one row.
local function read_place(place)
  local offset, before = string.match(place, '^(%d+) ?(%d*)$')
  return tonumber(offset), tonumber(before)
end

-- Why a record must not be applied now, or nil.
-- "another_epoch": the worker read under an epoch that is over and must go back. "missing": what the record is about isn't
-- known. "gap": the record in front of it in the row was refused (a full disk, a script that Redis had forgotten), so this
-- one must wait, or that one would be passed over for good. "already": a later record was applied before.
local function guard(position_key, believed_epoch, place)
  if epoch_in_force() ~= believed_epoch then return 'another_epoch' end
  local offset, before = read_place(place)
  local position = redis.call('HGET', position_key, 'position')
  if not position then return 'missing' end
  if before and tonumber(position) <= before then return 'gap' end
  if offset < tonumber(position) then return 'already' end
  return nil
end

local function applied(position_key, place)
  redis.call('HSET', position_key, 'position', string.format('%.0f', read_place(place) + 1))
end

-- Move a unit of a sale, or several, from one counter to another: "stock", "reserved", "pending", "paid".
local function move(sale, from, to, units)
  redis.call('HINCRBY', sale, from, -(units or 1))
  redis.call('HINCRBY', sale, to, units or 1)
end

-- How many units an order holds: one, unless a merchant is withdrawing several.
local function units_of(order)
  return tonumber(redis.call('HGET', order, 'units') or 1)
end

-- Have a sale have so many units more, or less, which are free.
local function add_units(sale, units)
  redis.call('HINCRBY', sale, 'num', units)
  redis.call('HINCRBY', sale, 'stock', units)
end

-- An order's charges that go back stand in its field "returns", each "due" or "done": "first=done second=due". Its field
-- "refund" says whether any is still due. Its sale counts its orders of either kind.
local REFUNDS = {due = 'refund_due', done = 'refunded'}
local function set_returns(sale, order, returns)
  local before = REFUNDS[redis.call('HGET', order, 'refund')]
  if before then redis.call('HINCRBY', sale, before, -1) end
  local refund = string.find(returns .. ' ', '=due ', 1, true) and 'due' or 'done'
  redis.call('HINCRBY', sale, REFUNDS[refund], 1)
  redis.call('HSET', order, 'refund', refund, 'returns', returns)
end

-- "due" or "done" for a charge of an order that goes back, nil for another.
local function return_of(order, charge)
  for known, state in string.gmatch(redis.call('HGET', order, 'returns') or '', '(%S+)=(%a+)') do
    if known == charge then return state end
  end
end

-- Have a charge of an order be due back, or given back.
local function set_return(sale, order, charge, state)
  local returns, found = {}, false
  for known, before in string.gmatch(redis.call('HGET', order, 'returns') or '', '(%S+)=(%a+)') do
    found = found or known == charge
    returns[#returns + 1] = known .. '=' .. (known == charge and state or before)
  end
  if not found then returns[#returns + 1] = charge .. '=' .. state end
  set_returns(sale, order, table.concat(returns, ' '))
end

local function orders_held(buyers, shopper)
  local held = {}
  for order in string.gmatch(redis.call('HGET', buyers, shopper) or '', '%S+') do held[#held + 1] = order end
  return held
end

-- Note that a shopper holds a unit by an order. The sale counts how often anybody came to (see gauge.lua).
local function hold(sale, buyers, shopper, order)
  redis.call('HINCRBY', sale, 'takes', 1)
  local held = orders_held(buyers, shopper)
  held[#held + 1] = order
  redis.call('HSET', buyers, shopper, table.concat(held, ' '))
end

-- Take one unit for a shopper: a reservation, until the ledger places it. ``what`` is product, price and currency of the
-- sale. Returns pay_by.
local function reserve_unit(sale_keys, order, shopper, name, epoch, now, doubt_ms, pay_ms, what)
  local sale, buyers, order_key, agenda = unpack(sale_keys)
  move(sale, 'stock', 'reserved')
  hold(sale, buyers, shopper, order)
  local pay_by = now + pay_ms
  redis.call('HSET', order_key, 'state', 'reserved', 'epoch', epoch, 'shopper', shopper, 'shopper_name', name,
    'sale', string.match(sale, '[^:]+$'), 'product', what[1], 'amount', what[2], 'currency', what[3],
    'at', now, 'pay_by', pay_by)
  redis.call('ZADD', agenda, now + doubt_ms, order)
  return pay_by
end

-- Strike a shopper off a sale's waitlist. Returns whether they stood on it.
local function leave_waitlist(sale, waitlist, waiters, shopper)
  if redis.call('ZREM', waitlist, shopper) == 0 then return false end
  redis.call('HDEL', waiters, shopper)
  redis.call('HINCRBY', sale, 'waiting', -1)
  return true
end

-- Note that a shopper enters a draw, until the ledger's record of it was applied. ``sale``: when it begins, for how long it
-- takes entries (both in seconds), and its seed.
-- Returns {"noted", at, seed, when the draw closes (both in Unix ms), 1 if they are on the waitlist already, else 0}; or
-- {"over"} where nobody enters any more.
local function note_entry(waitlist, entering, shopper, name, now, doubt_ms, sale)
  local who, closes = shopper .. ' ' .. name, (sale[1] + (sale[2] or 0)) * 1000
  local waits = redis.call('ZSCORE', waitlist, shopper)
  if not waits and not redis.call('ZSCORE', entering, who) then
    if now >= closes then return {'over'} end
    redis.call('ZADD', entering, now + doubt_ms, who)
  end
  return {'noted', string.format('%.0f', now), sale[3], string.format('%.0f', closes), waits and 1 or 0}
end

local function let_go(buyers, shopper, order)
  local held = {}
  for _, other in ipairs(orders_held(buyers, shopper)) do
    if other ~= order then held[#held + 1] = other end
  end
  if #held == 0 then
    redis.call('HDEL', buyers, shopper)
  else
    redis.call('HSET', buyers, shopper, table.concat(held, ' '))
  end
end

