"use strict";
// Shows one step of a story: what has data-from and data-until is there from one step until another.
// The address names it: #1-17 is step 17 of the first story.
const stories = [...document.querySelectorAll(".story")].map((story, index) => {
  const last = Number(story.dataset.last);
  const loop = Number(story.dataset.loop); // 0: the run has an end
  const slider = story.querySelector("input");
  const [back, on] = ["back", "on"].map((name) => story.querySelector(`button.${name}`));
  const timed = [...story.querySelectorAll("[data-from]")];
  const rows = [...story.querySelectorAll(".row")];
  let now = 0;

  function show(step) {
    now = Math.max(0, Math.min(last, step));
    slider.value = now;
    slider.setAttribute("aria-valuetext", now ? `step ${now}` : "the beginning");
    for (const part of timed) {
      part.hidden = now < Number(part.dataset.from) || now >= Number(part.dataset.until);
    }
    for (const row of rows) {
      const chosen = Number(row.dataset.step) === now;
      row.classList.toggle("now", chosen);
      row.querySelector("button").setAttribute("aria-current", chosen ? "step" : "false");
    }
    back.disabled = now === 0;
    on.disabled = now === last && !loop;
    on.textContent = now === last && loop ? "↻" : "▶";
  }

  function choose(step) {
    show(step);
    history.replaceState(null, "", `#${index + 1}-${now}`);
  }

  function go(step) {
    choose(step);
    (rows[now - 1] ?? story).scrollIntoView({ block: "nearest" });
  }

  const next = () => go(now === last && loop ? loop : now + 1);
  const previous = () => go(now - 1);
  slider.addEventListener("input", () => go(Number(slider.value)));
  back.addEventListener("click", previous);
  on.addEventListener("click", next);
  for (const row of rows) row.addEventListener("click", () => choose(Number(row.dataset.step)));
  show(0);
  return { element: story, go, keys: { ArrowRight: next, ArrowLeft: previous, Home: () => go(0), End: () => go(last) } };
});

// Arrow keys move the story that has the focus, or else the first one on the screen.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const visible = ({ element }) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top < window.innerHeight && bottom > 0;
  };
  const story = stories.find(({ element }) => element.contains(document.activeElement)) ?? stories.find(visible);
  const move = story?.keys[event.key];
  if (move) {
    event.preventDefault();
    move();
  }
});

function follow() {
  const [, story, step] = /^#(\d+)-(\d+)$/.exec(location.hash) ?? [];
  stories[story - 1]?.go(Number(step));
}

window.addEventListener("hashchange", follow);
follow();
