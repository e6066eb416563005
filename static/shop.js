/* Saves reloads; everything works without it. It never decides that a sale is open: at zero the button can be pressed, and
   the server says whether that was too early. */
"use strict";
(() => {
  const words = document.getElementById("announcer");
  const MILESTONES = [600, 300, 60, 30]; // seconds
  const BUSY = 5000; // ms for which a second press of the same button is the same press

  // The shop's clock: what the server said, carried on by a clock that nobody can set.

  const navigation = performance.getEntriesByType("navigation")[0];
  let ahead = Number(document.body.dataset.now) - (navigation ? navigation.responseStart : 0);
  let unsure = 0; // ms by which it may be fast: none before it is asked for, since the page's own clock is stamped first
  const serverNow = () => ahead + performance.now();

  // Some systems stop that clock while they sleep. The calendar clock goes on, so the two drift apart.

  const drift = () => Date.now() - performance.now();
  const slept = () => Math.abs(drift() - steady) > 1000;
  let steady = drift();
  let mayAsk = 0; // by the calendar clock

  const wake = () => {
    if (!slept() || document.hidden || Math.abs(Date.now() - mayAsk) < 3000) return;
    mayAsk = Date.now();
    syncClock();
  };

  const syncClock = async () => {
    let best = Infinity;
    const before = drift();
    for (let round = 0; round < 3; round += 1) {
      try {
        const sent = performance.now();
        const answer = await fetch(document.body.dataset.clock, { cache: "no-store" });
        const trip = performance.now() - sent;
        const { now } = await answer.json();
        if (answer.ok && Number.isFinite(now) && trip < best) {
          best = trip;
          ahead = now - sent - trip / 2;
          unsure = trip / 2;
          steady = before;
        }
      } catch {
        // The clock of the page itself goes on.
      }
    }
    tick();
    aim();
  };

  // Telling, to those who listen instead of looking.

  const announce = (sentence) => {
    words.textContent = "";
    if (sentence) setTimeout(() => { words.textContent = sentence; }, 100);
  };

  // Countdowns

  const shownBefore = new WeakMap();
  const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const two = (number) => String(number).padStart(2, "0");
  const fill = (sentence, facts) => sentence.replace(/\{(\w+)\}/g, (whole, name) => facts[name] ?? whole);

  const tick = () => {
    wake();
    let reached = false;
    for (const timer of document.querySelectorAll("time[data-until]")) {
      const left = Math.max(0, Math.ceil((Number(timer.dataset.until) - serverNow()) / 1000));
      const before = shownBefore.get(timer);
      if (left === 0) reached = true;
      if (left === before) continue;
      shownBefore.set(timer, left);
      const [days, hours, minutes, seconds] = timer.querySelectorAll("b");
      days.parentElement.hidden = left < 86400;
      write(days, String(Math.floor(left / 86400)));
      write(hours, two(Math.floor(left / 3600) % 24));
      write(minutes, two(Math.floor(left / 60) % 60));
      write(seconds, two(left % 60));
      const passed = MILESTONES.filter((mark) => before > mark && left <= mark).pop();
      if (passed && timer.dataset.say) announce(timer.dataset.say.replace("{time}", words.dataset[passed]));
    }
    if (reached && !stopped()) refreshSoon(zeroWait);
    ask();
  };

  // The button of a sale that begins: a timer of its own brings it to life, aimed anew whenever the clock is set. Whoever
  // has it need not hurry to ask for the page anew.

  const FARTHEST = 60000; // ms that are left to one timer; it may be late by a part of what it was set for
  const LATEST = 50; // ms after the opening, where the clock may be fast: a press that comes too early costs more
  let opening = 0;
  let opened = false;
  const aim = () => {
    clearTimeout(opening);
    const button = document.querySelector("button[data-opens]");
    if (!button) return;
    const left = Number(button.dataset.opens) + Math.min(unsure, LATEST) - serverNow();
    if (left <= 0) open(button);
    else opening = setTimeout(aim, Math.min(left, FARTHEST));
  };

  const open = (button) => {
    opened = true;
    delete button.dataset.opens;
    button.type = "submit";
    button.removeAttribute("aria-disabled");
    button.classList.replace("button-off", "button-first");
    button.textContent = button.dataset.wordsOpen;
    document.getElementById("main").dataset.status = button.dataset.say;
    announce(button.dataset.say);
  };

  // Live updates: sales are asked for in turn, those on the screen, one a second at most. The reader may stop that.

  const PACE = { live: 3000, drawing: 3000, all_held: 3000, paused: 3000, recovering: 4000 }; // ms between two looks at one sale
  const REST = 30000; // for sales in other states
  const LONGEST = 60000; // ms between two tries that fail
  const jittered = (wait) => wait * (0.8 + Math.random() * 0.4);
  let due = new WeakMap();
  let asked = 0; // when the next question may be asked, by performance.now()
  let failed = 0;
  let stopping = false;
  try {
    stopping = localStorage.getItem("updates") === "off";
  } catch {
    // Not remembered here.
  }
  const stopped = () => stopping && document.getElementById("updates") !== null;

  const lookAgainAt = (place) => {
    due.set(place, performance.now() + jittered(PACE[place.dataset.state] ?? REST));
  };

  const onScreen = (place) => {
    const box = place.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  };

  const ask = async () => {
    const now = performance.now();
    if (now < asked || pending || document.hidden || stopped()) return;
    asked = now + 200;
    const places = [...document.querySelectorAll("[data-sale]")].filter((place) => (due.get(place) ?? 0) <= now && onScreen(place));
    const place = places.sort((one, other) => (due.get(one) ?? 0) - (due.get(other) ?? 0))[0];
    if (!place) return;
    asked = Infinity; // one question at a time
    try {
      const answer = await fetch(place.dataset.sale, { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.status);
      const status = await answer.json();
      failed = 0;
      if (status.state === place.dataset.state) show(place, status);
      else refreshSoon(() => 100 + Math.random() * 900);
    } catch {
      failed += 1; // the network, or the shop: ask less and less often
    }
    lookAgainAt(place);
    asked = performance.now() + jittered(failed ? Math.min(1000 * 2 ** failed, LONGEST) : 1000);
  };

  const show = (place, { units: { total, left, reserved, unpaid }, waiting }) => {
    const num = Math.max(total, 1); // a merchant may have changed it, down to none: of none, all are taken
    const taken = num - left;
    const figures = { left, percent: Math.floor((taken * 100) / num), unpaid: reserved + unpaid, waiting };
    for (const bar of place.querySelectorAll("progress")) Object.assign(bar, { max: num, value: taken });
    for (const element of place.querySelectorAll("[data-words]")) {
      write(element, fill(element.dataset.words, figures));
    }
    stamp();
  };

  const stamp = () => {
    const now = new Date(serverNow());
    for (const element of document.querySelectorAll("[data-as-of]")) write(element, clock(now));
  };

  const dressSwitch = () => {
    document.documentElement.toggleAttribute("data-stopped", stopped());
    const button = document.getElementById("updates");
    if (button) write(button, stopping ? button.dataset.start : button.dataset.stop);
  };

  const toggle = () => {
    stopping = !stopping;
    try {
      localStorage.setItem("updates", stopping ? "off" : "on");
    } catch {
      // It holds for this page.
    }
    dressSwitch();
    due = new WeakMap();
    watch();
  };

  // A sale's address, given on.

  const share = async (button) => {
    const field = document.getElementById("address");
    if (navigator.share) {
      navigator.share({ title: document.title, url: field.value }).catch(() => {}); // they changed their mind
      return;
    }
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy"); // no https, no clipboard
    }
    button.textContent = button.dataset.done;
    announce(button.dataset.done);
  };

  document.addEventListener("click", ({ target }) => {
    if (target.id === "updates") toggle();
    if (target.id === "share") share(target);
  });

  // Asking for this page anew, and putting its <main> in the place of the old one.

  let pending = 0;
  let polls = 0;
  let zeros = 0;
  const pollWait = () => jittered(Math.min(500 * 1.4 ** polls, 5000));
  const isDrawing = () => document.querySelector("article[data-state=drawing]") !== null; // all who entered look then
  const zeroWait = () => (zeros ? Math.min(500 * 2 ** zeros, 15000) : 0) + (opened ? 1000 + Math.random() * 4000 : isDrawing() ? 1500 + Math.random() * 3000 : 100 + Math.random() * 900);

  const refreshSoon = (wait, { unseen = false } = {}) => {
    if (pending || (document.hidden && !unseen)) return;
    pending = setTimeout(async () => {
      try {
        await refresh();
      } catch {
        // No network: the next round asks again.
      }
      pending = 0;
      watch();
    }, wait());
  };

  const refresh = async () => {
    const address = location.href;
    const old = document.getElementById("main");
    polls += 1;
    zeros += 1;
    const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.redirected) location.assign(address);
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("main");
    if (!fresh || location.href !== address || isPressed()) return; // the next round asks again
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    for (const unfolded of old.querySelectorAll("details[id][open]")) {
      fresh.querySelector(`#${unfolded.id}`)?.setAttribute("open", "");
    }
    old.replaceWith(fresh);
    for (const kept of old.querySelectorAll("[data-keep]")) {
      fresh.querySelector(`[data-keep="${CSS.escape(kept.dataset.keep)}"]`)?.replaceWith(kept);
    }
    document.title = page.title;
    const messages = document.getElementById("messages");
    if (fresh.dataset.status !== old.dataset.status) messages.replaceChildren(); // they spoke of what was
    messages.append(...page.querySelectorAll("#messages > *"));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (fresh.dataset.status !== old.dataset.status) announce(fresh.dataset.status);
    dress();
    const over = [...fresh.querySelectorAll("time[data-until]")].some((timer) => timer.dataset.until <= serverNow());
    if (!over) zeros = 0;
  };

  const watch = () => {
    const { poll } = document.getElementById("main").dataset;
    if (poll === "unseen" && !stopped()) refreshSoon(() => jittered(5000), { unseen: true }); // a title can be seen
    else if (poll !== undefined && !stopped()) refreshSoon(pollWait);
    tick();
  };

  // Moments in the reader's own time zone. Not by Intl: a phone needs a tenth of a second to load it, before it paints.

  const clock = (date, parts = 3) => [date.getHours(), date.getMinutes(), date.getSeconds()].slice(0, parts).map(two).join(":");

  const zone = (date) => {
    const minutes = -date.getTimezoneOffset();
    const size = Math.abs(minutes);
    const rest = size % 60 ? `:${two(size % 60)}` : "";
    return minutes ? `GMT${minutes < 0 ? "-" : "+"}${Math.floor(size / 60)}${rest}` : "UTC";
  };

  const inWords = (date) => {
    const month = words.dataset.months.split(",")[date.getMonth()];
    const time = clock(date, date.getSeconds() ? 3 : 2);
    const day = fill(words.dataset.moment, { year: date.getFullYear(), month, day: date.getDate(), time });
    return `${day} ${zone(date)}`;
  };

  // What a page needs before it is seen, and pictures that came.

  const dress = () => {
    aim();
    dressSwitch();
    stamp();
    document.querySelectorAll("[data-sale]").forEach(lookAgainAt);
    const shareButton = document.getElementById("share");
    if (shareButton && navigator.share) shareButton.textContent = shareButton.dataset.share;
    for (const moment of document.querySelectorAll("time[data-local]")) {
      moment.title = moment.textContent;
      moment.textContent = inWords(new Date(moment.dateTime));
      delete moment.dataset.local;
    }
    for (const picture of document.querySelectorAll(".avatar img")) {
      const settle = () => {
        if (!picture.naturalWidth) picture.remove();
      };
      if (picture.complete) settle();
      picture.addEventListener("load", settle);
      picture.addEventListener("error", settle);
    }
  };

  // The form for a sale: the device's time zone, where none was chosen yet, and a picture as soon as it is chosen.

  const zones = document.querySelector("select[data-guess]");
  if (zones) {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const untouched = zones.selectedOptions[0]?.defaultSelected; // else the browser brought back what was chosen
    const named = ({ value, dataset }) => value === here || dataset.also?.split(" ").includes(here);
    const found = untouched && [...zones.options].find(named);
    if (found) zones.value = found.value;
  }

  document.addEventListener("change", async ({ target }) => {
    if (!target.dataset.preview) return;
    document.querySelector(".chosen")?.remove();
    document.getElementById("too-heavy")?.remove();
    if (!target.files.length) return;
    if (target.files[0].size > target.dataset.most) { // sent, it would take the whole form with it
      target.value = "";
      const said = Object.assign(document.createElement("p"), { className: "wrong", id: "too-heavy", textContent: target.dataset.heavy });
      said.setAttribute("role", "alert");
      target.before(said);
      return;
    }
    try {
      const picture = await createImageBitmap(target.files[0]);
      const size = Math.min(1, 640 / Math.max(picture.width, picture.height));
      const canvas = Object.assign(document.createElement("canvas"), { width: picture.width * size, height: picture.height * size });
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", target.dataset.preview);
      const place = Object.assign(document.createElement("div"), { className: "chosen" });
      place.append(canvas);
      document.querySelector(".chosen")?.remove();
      target.after(place);
    } catch {
      // No picture that this browser can read: the shop says so if it can't either.
    }
  });

  // A second press of a button is taken as the first, for a while; after that it counts again, so no button is ever dead.

  const busy = new Map();
  const release = (form) => {
    const kept = busy.get(form);
    if (!kept) return;
    busy.delete(form);
    clearTimeout(kept.timer);
    kept.button.removeAttribute("aria-busy");
    kept.button.textContent = kept.text;
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (busy.has(form)) {
      event.preventDefault();
      return;
    }
    const button = event.submitter;
    if (!button?.dataset.busy) return;
    busy.set(form, { button, text: button.textContent, timer: setTimeout(() => release(form), BUSY) });
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy;
  });

  // A press that is under way. The page mustn't change beneath it, or what it ends on isn't what it began on, and no click
  // comes of it. One that waits for something (see proof.js) makes its button busy.

  const AFTER = 100; // ms in which the click follows, on phones as an event of its own
  let held = false;
  let ending = 0;
  const hold = () => {
    clearTimeout(ending);
    held = true;
  };
  const letGo = () => {
    clearTimeout(ending);
    ending = setTimeout(() => { held = false; }, AFTER);
  };
  const isPressed = () => held || busy.size > 0 || document.querySelector("#main [aria-busy]") !== null;
  for (const kind of ["pointerup", "pointercancel", "dragend", "keyup", "blur"]) addEventListener(kind, letGo, true);
  addEventListener("pointerdown", ({ button }) => { if (button === 0) hold(); }, true);
  addEventListener("keydown", ({ key }) => { if (key === " " || key === "Enter") hold(); }, true);

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });

  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    [...busy.keys()].forEach(release);
    syncClock();
    refreshSoon(() => 0);
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    due = new WeakMap(); // what is on the screen is asked for at once
    failed = asked = 0;
    syncClock().then(watch);
  });
  addEventListener("focus", wake);

  // A refusal is told once: asked for anew, the page would tell it again.
  if (location.search === "?refused=1") history.replaceState(history.state, "", location.pathname);

  globalThis.shopClock = serverNow;
  document.documentElement.dataset.scripted = "";
  dress();
  watch();
  setInterval(tick, 200);
  if (document.querySelector("time[data-until]")) syncClock();
})();
