// Follows the output of one instance. A line is text and nothing else; so many are kept, and no more.
"use strict";
(() => {
  const SILENT = 6000; // ms without a sign of life after which the stream counts as lost
  const AGAIN = 1500; // ms before a lost stream is opened anew; twice as long after each failure, up to
  const SELDOM = 12000; // ms
  const output = document.getElementById("output");
  const form = document.getElementById("choice");
  if (!output) return;

  const most = Number(output.dataset.most);
  const state = document.getElementById("following");
  const said = document.createElement("span");
  const counted = document.createElement("span"); // what goes on counting is shown, not read out each time
  counted.setAttribute("aria-hidden", "true");
  state.replaceChildren(said, counted);
  const pause = document.getElementById("pause");
  const words = document.getElementById("words");
  let stream = null;
  let heard = Date.now();
  let failures = 0; // since it was there
  let lost = 0; // since when, 0 while it is there
  let over = ""; // why nothing more will come
  let paused = false;
  let held = []; // what came while paused
  let fresh = false; // what is shown is to be replaced by what comes

  function tell() {
    const shown = [...output.children].filter((line) => !line.hidden).length;
    const found = words.value.trim() ? `; ${shown} of ${output.children.length} lines have these words` : "";
    const [text, count] = over ? [`No more: ${over}`, ""]
      : lost ? ["The stream was lost; trying again. What you see is from before", ` (${Math.round((Date.now() - lost) / 1000)} s)`]
      : paused ? ["Paused", `; ${held.length} new lines wait`]
      : ["Following", ""];
    state.classList.toggle("warn", Boolean(lost));
    write(said, text);
    write(counted, count + found);
  }

  function write(part, text) { if (part.textContent !== text) part.textContent = text; }

  function fits(text) {
    const low = text.toLowerCase();
    return words.value.toLowerCase().split(/\s+/).every((word) => low.includes(word));
  }

  function show(lines) {
    if (!lines.length) return;
    const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    const part = document.createDocumentFragment();
    for (const text of lines.slice(-most)) {
      const line = document.createElement("div");
      line.textContent = text;
      line.hidden = !fits(text);
      part.append(line);
    }
    if (fresh) output.replaceChildren();
    fresh = false;
    output.append(part);
    while (output.children.length > most) output.firstElementChild.remove();
    if (atEnd) output.scrollTop = output.scrollHeight;
  }

  function take(lines) {
    if (!paused) { show(lines); return; }
    held = held.concat(lines).slice(-most);
  }

  function seen() { heard = Date.now(); lost = 0; failures = 0; }

  function open() {
    if (stream) stream.close();
    stream = new EventSource(output.dataset.stream);
    const on = (kind, act) => stream.addEventListener(kind, (event) => { seen(); act(event.data); tell(); });
    on("begin", () => { fresh = true; held = []; });
    on("lines", (data) => take(JSON.parse(data)));
    on("lost", (data) => take([`… ${data} lines came faster than they could be sent …`]));
    on("beat", () => {});
    on("over", (data) => { over = data; stream.close(); });
    on("ended", () => { stream.close(); location.reload(); });
    stream.onerror = () => {
      lost ||= Date.now();
      tell();
      if (stream.readyState !== EventSource.CLOSED) return;
      refused();
    };
  }

  // A stream does not tell its script why it was refused; the page does: htmx's header has it say it by a status.
  async function refused() {
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (answer && answer.status === 401) location.assign(answer.headers.get("HX-Redirect") || "/login");
    else if (answer && (answer.status === 404 || !(await there(answer)))) {
      over = "this instance is gone; choose another one";
      lost = 0;
      tell();
    } else setTimeout(open, Math.min(AGAIN * 2 ** failures++, SELDOM) * (1 + Math.random()) / 2);
  }

  async function there(answer) {
    if (!answer.ok) return true; // nothing is known of it
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("output");
    return Boolean(now) && now.dataset.stream === output.dataset.stream;
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) { show(held); held = []; output.scrollTop = output.scrollHeight; }
    tell();
  });
  words.addEventListener("input", () => {
    for (const line of output.children) line.hidden = !fits(line.textContent);
    tell();
  });
  form.addEventListener("submit", (event) => { if (document.activeElement === words) event.preventDefault(); });
  window.addEventListener("pagehide", () => { if (stream) stream.close(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  setInterval(() => { if (!over && Date.now() - heard > SILENT) lost ||= heard; tell(); }, 1000);
  document.getElementById("controls").hidden = false;
  output.scrollTop = output.scrollHeight;
  open();
})();
