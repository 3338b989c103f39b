// Follows the output of one instance. A line is text and nothing else; so many are kept, and no more.
"use strict";
(() => {
  const SILENT = 6000; // ms without a sign of life after which the stream counts as lost
  const AGAIN = 1500; // ms before a lost stream is opened anew
  const output = document.getElementById("output");
  const form = document.getElementById("choice");
  form.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") form.submit(); });
  if (!output) return;

  const most = Number(output.dataset.most);
  const state = document.getElementById("following");
  const pause = document.getElementById("pause");
  const words = document.getElementById("words");
  let stream = null;
  let heard = Date.now();
  let lost = 0; // since when, 0 while it is there
  let over = ""; // why nothing more will come
  let paused = false;
  let held = []; // what came while paused
  let fresh = false; // what is shown is to be replaced by what comes

  function tell() {
    const shown = [...output.children].filter((line) => !line.hidden).length;
    const found = words.value.trim() ? `; ${shown} of ${output.children.length} lines have these words` : "";
    let text = "Following";
    if (over) text = `No more: ${over}`;
    else if (lost) text = `The stream was lost ${Math.round((Date.now() - lost) / 1000)} s ago; trying again. What you see is from before`;
    else if (paused) text = `Paused; ${held.length} new lines wait`;
    state.classList.toggle("warn", Boolean(lost));
    if (state.textContent !== text + found) state.textContent = text + found;
  }

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

  function seen() { heard = Date.now(); lost = 0; }

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
      setTimeout(open, AGAIN * (1 + Math.random()));
    };
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
