// Buys one unit when its sale begins, and pays: node buy.mjs URL PRODUCT NAME PASSWORD. Needs Node 18 or newer.
const [url, product, name, password] = process.argv.slice(2);
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const headers = { Accept: "application/json", "Content-Type": "application/json" };

// An answer that has what is needed; what says "come back later" is asked again, as late as it says.
// A call whose answer got lost may be repeated under its key: each has its own.
async function ask(path, needed, body) {
  const call = { method: body ? "POST" : "GET", headers: { ...headers, "Idempotency-Key": crypto.randomUUID() } };
  for (let tries = 9; ; tries--) {
    const response = await fetch(new URL(path, url), { ...call, body: body && JSON.stringify(body) });
    const answer = await response.json();
    if (!needed || [needed].flat().some((name) => name in answer)) return answer;
    if (!tries || ![429, 503].includes(response.status)) throw answer.error;
    await sleep(Number(response.headers.get("Retry-After") ?? 1));
  }
}

process.on("uncaughtException", (sentence) => (console.error(String(sentence)), process.exit(1)));
const person = { name, age: 30, address: "somewhere", avatar: "https://example.com/me.png", password };
await ask("/register", "message", person).catch(() => {}); // whoever was registered before just logs in
headers.Authorization = `Bearer ${(await ask("/login", "token", { name, pass: password })).token}`;
const sale = `/miaosha/${encodeURIComponent(product)}`;
const begins = (await ask(sale, "time_begintokill")).time_begintokill;
await sleep(Math.max(0, begins - (await ask("/time", "now")).now / 1000)); // by the shop's clock
let told;
while ("draw_closes" in (told = await ask(sale, ["order", "draw_closes"], {}))) await sleep(1); // by lot: not decided yet
const { order } = told; // limit_reached names the order that one has already
const paid = await ask(`/orders/${order}/pay`, null, {});
console.log(order, paid.state ?? paid.error);
