// Keeps the page up to date: a stream says when to look again, htmx fetches the page and changes what differs.
// Where the stream is lost the page says so, and since when; it comes back by itself.
"use strict";
(() => {
  const SILENT = 5000; // ms without a sign of life after which what is shown counts as stale
  const AGAIN = 1500; // ms before a lost stream is opened anew
  const live = () => document.getElementById("live");
  const notice = document.getElementById("connection");
  if (!live() || !notice) return;

  const counted = document.createElement("span");
  let stream = null;
  let heard = Date.now();
  let again = 0;

  const refresh = () => htmx.trigger(live(), "refresh");

  function seen() {
    heard = Date.now();
    if (!notice.hidden) {
      notice.hidden = true;
      notice.textContent = "";
    }
  }

  function open() {
    close();
    stream = new EventSource("/live");
    stream.onopen = () => { seen(); refresh(); };
    stream.addEventListener("beat", seen);
    stream.addEventListener("changed", () => { seen(); refresh(); });
    stream.addEventListener("ended", () => { close(); refresh(); });
    stream.onerror = () => {
      if (stream && stream.readyState === EventSource.CLOSED) {
        refresh(); // says by its answer if one has to log in again
        again = setTimeout(open, AGAIN * (1 + Math.random())); // not all pages at once
      }
      tell();
    };
  }

  function close() {
    clearTimeout(again);
    if (stream) stream.close();
    stream = null;
  }

  function tell() {
    const silent = Date.now() - heard;
    if (document.hidden || silent < SILENT) return;
    if (notice.hidden) {
      counted.setAttribute("aria-hidden", "true"); // what goes on counting is shown, not read out each second
      notice.replaceChildren("Not up to date: the controller does not answer. Traffic goes on without it; " +
        "what you see is from before.", counted);
      notice.hidden = false;
    }
    counted.textContent = ` (${Math.round(silent / 1000)} s)`;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close(); // a browser has few connections to one host
    else { heard = Date.now(); open(); }
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  setInterval(tell, 1000);
  if (!document.hidden) open();
})();
