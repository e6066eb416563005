-- Where a shopper stands on a sale's waitlist, and what they hold. Changes nothing.
-- KEYS[1] sale   KEYS[2] waitlist   KEYS[3] buyers   KEYS[4] entering
-- ARGV[1] shopper   ARGV[2] shopper and name, as entering has them
-- Returns {"open", place (1 in front, 0 for one who doesn't wait), 1 if they have entered a draw or else 0, the orders with
-- which they hold units…}. The word is "closed" while the sale isn't open to the epoch in force: a mending that is
-- under way may forget who waits.
local word = redis.call('HGET', KEYS[1], 'signed') == epoch_in_force() and 'open' or 'closed'
local rank = redis.call('ZRANK', KEYS[2], ARGV[1])
local entered = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0) < 0 or redis.call('ZSCORE', KEYS[4], ARGV[2])
return {word, rank and rank + 1 or 0, entered and 1 or 0, unpack(orders_held(KEYS[3], ARGV[1]))}
