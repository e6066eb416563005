-- What anybody may see of a sale now. Changes nothing.
-- KEYS[1] sale
-- Returns {now (ms), "selling" or "recovering" (its epoch is over), field, value, …}; without fields if there is no sale.
local found = redis.call('HGETALL', KEYS[1])
local selling = redis.call('HGET', KEYS[1], 'signed') == epoch_in_force()
return {string.format('%.0f', now_ms()), selling and 'selling' or 'recovering', unpack(found)}
