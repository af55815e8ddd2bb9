// Keeps the page up to date: at each piece of news it asks for the page again and shows what is new.
"use strict";

const live = document.querySelector("#live");
let isAsking = false;
let isLate = false;

async function update() {
  // One question at a time. What comes meanwhile is asked for afterwards.
  if (isAsking) { isLate = true; return; }
  isAsking = true;
  try {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("#live");
    if (fresh && fresh.innerHTML !== live.innerHTML) show(fresh);
  } catch {
    // The program has stopped. The connection below comes back with it.
  }
  isAsking = false;
  if (isLate) { isLate = false; update(); }
}

function show(fresh) {
  const focused = document.activeElement?.id;
  const list = document.querySelector("#requests")?.scrollTop;
  live.replaceChildren(...fresh.childNodes);
  if (list !== undefined) document.querySelector("#requests")?.scrollTo(0, list);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// If the program ends, the browser connects again by itself when it is back.
const news = new EventSource("/inspector/news");
news.onopen = update;
news.onmessage = update;
