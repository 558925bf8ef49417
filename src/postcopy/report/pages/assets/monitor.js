"use strict";
const shown = document.getElementById("now");
const gone = document.getElementById("gone");

async function renew() {
  try {
    const answer = await fetch("/now");
    shown.innerHTML = await answer.text();
    gone.hidden = true;
  } catch {
    gone.hidden = false;
  }
  setTimeout(renew, 500);
}

setTimeout(renew, 500);
