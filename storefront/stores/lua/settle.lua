-- The sweep is done with an order, unless a refund fell due meanwhile.
-- KEYS[1] order   KEYS[2] agenda   ARGV[1] order id
-- Returns "settled" or "due".
if redis.call('HGET', KEYS[1], 'refund') == 'due' then return 'due' end
redis.call('ZREM', KEYS[2], ARGV[1])
return 'settled'
