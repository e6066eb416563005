// Buys one unit when its sale begins, and pays: node buy.mjs URL PRODUCT NAME PASSWORD. Needs Node 18 or newer.
const [url, product, name, password] = process.argv.slice(2);
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const stop = (sentence) => {
  console.error(sentence);
  process.exit(1);
};

// The answer of a call; what says "come back later" is asked again, as late as it says.
async function ask(path, body, headers = {}) {
  for (let tries = 10; ; tries--) {
    const response = await fetch(new URL(path, url), {
      method: body ? "POST" : "GET",
      headers: { Accept: "application/json", ...(body && { "Content-Type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (response.status < 429 && answer.code !== "not_started") return answer;
    if (!tries) stop(answer.error);
    await sleep(Number(response.headers.get("Retry-After") ?? 1));
  }
}

const avatar = "https://example.com/me.png";
await ask("/register", { name, age: 30, address: "somewhere", avatar, password });
const { token, error } = await ask("/login", { name, pass: password }); // whoever was registered before just logs in
if (!token) stop(error);

const sale = `/miaosha/${encodeURIComponent(product)}`;
const seen = await ask(sale);
if (seen.error) stop(seen.error);
await sleep(Math.max(0, seen.time_begintokill - (await ask("/time")).now / 1000)); // by the shop's clock

// With its key, a call whose answer got lost may be repeated. Each thing that is to be done has its own.
const once = () => ({ Authorization: `Bearer ${token}`, "Idempotency-Key": crypto.randomUUID() });
const bought = await ask(sale, {}, once());
if (!bought.order) stop(bought.error); // limit_reached names the order that one has already
const paid = await ask(`/orders/${bought.order}/pay`, {}, once());
console.log(bought.order, paid.state ?? paid.error);
