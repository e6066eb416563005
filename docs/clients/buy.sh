#!/bin/sh
# Buys one unit when its sale begins, and pays: sh buy.sh URL PRODUCT NAME PASSWORD. Needs curl and jq.
set -eu
url=$1 product=$2 name=$3 password=$4

# curl itself asks again what is answered 429, 500 or 503, after as many seconds as Retry-After says.
ask() { curl --silent --show-error --retry 9 --max-time 30 --header 'Accept: application/json' "$@"; }
send() { ask --header 'Content-Type: application/json' "$@"; }
# What an answer has under a name; without that, what the shop says, and the end.
take() { echo "$2" | jq --raw-output --exit-status ".$1 // empty" || { echo "$2" | jq -r .error >&2 && exit 1; }; }

account=$(jq -n --arg name "$name" --arg password "$password" \
  '{$name, $password, age: 30, address: "somewhere", avatar: "https://example.com/me.png"}')
send "$url/register" --data "$account" >/dev/null # whoever was registered before just logs in
answer=$(send "$url/login" --data "$(jq -n --arg name "$name" --arg pass "$password" '{$name, $pass}')")
token=$(take token "$answer")

sale=$url/miaosha/$(jq -rn --arg product "$product" '$product | @uri')
begins=$(take time_begintokill "$(ask "$sale")")
now=$(take now "$(ask "$url/time")")
wait=$((begins - now / 1000)) # by the shop's clock
[ "$wait" -le 0 ] || sleep "$wait"

# With its key, a call whose answer got lost may be repeated. Each thing that is to be done has its own.
set -- --data '{}' --header "Authorization: Bearer $token" --header "Idempotency-Key: $(date +%s)-$$"
while told=$(send "$sale" "$@-buy") && (take draw_closes "$told") >/dev/null 2>&1; do
  sleep 1 # by lot: it is decided soon after the draw has closed
done
order=$(take order "$told") # limit_reached names the order that one has already
paid=$(send "$url/orders/$order/pay" "$@-pay")
echo "$order $(echo "$paid" | jq --raw-output '.state // .error')"
