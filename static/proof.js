/* Has ALTCHA do the work that a form asks for, as soon as the form is there, or shortly before the form can be sent. Who
   presses the button before it is done needn't press again. */
"use strict";
(() => {
  const { worker } = document.currentScript.dataset;
  let pressed = null; // the button that waits for the work

  const say = (form, state) => {
    const line = form?.querySelector(".proof-state");
    if (!line) return;
    line.dataset.state = state;
    line.textContent = line.dataset[state] ?? "";
  };

  // The widget's events don't bubble, so they are caught on their way down.
  document.addEventListener("statechange", ({ target, detail }) => {
    if (target.localName !== "altcha-widget") return;
    const form = target.closest("form");
    say(form, detail.state);
    if (detail.state === "error") delete target.closest(".proof").dataset.keep; // the next one may do better
    if (pressed?.form !== form || !["verified", "error"].includes(detail.state)) return;
    const button = pressed;
    pressed = null;
    setTimeout(() => { // the widget fills its field first; without one, the shop says what to do
      button.removeAttribute("aria-busy");
      form.requestSubmit(button);
    });
  }, true);

  document.addEventListener("submit", (event) => {
    const widget = event.target.querySelector("altcha-widget");
    const state = widget?.getState?.();
    if (!state || state === "verified" || state === "error") {
      delete widget?.closest(".proof").dataset.keep; // a proof is good once
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.submitter) return;
    pressed = event.submitter;
    pressed.setAttribute("aria-busy", "true");
    if (state !== "verifying") widget.verify();
  }, true);

  // A form that is there long before it can be sent: the work would have run out by then.
  const startLate = () => {
    for (const widget of document.querySelectorAll("altcha-widget[data-starts]")) {
      if (Number(widget.dataset.starts) > shopClock()) continue;
      delete widget.dataset.starts;
      widget.setAttribute("auto", "onload");
    }
  };
  setInterval(startLate, 1000);

  // Its own words are never seen; the line beside it has the shop's.
  $altcha.i18n.set("en", Object.fromEntries(Object.keys($altcha.i18n.get("en")).map((name) => [name, ""])));
  $altcha.algorithms.set("PBKDF2/SHA-256", () => new Worker(worker));
  $altcha.defaults.set({ auto: "onload", minDuration: 0, humanInteractionSignature: false, hideLogo: true, hideFooter: true });
})();
