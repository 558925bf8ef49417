// By hand: digits choose among the first nine, Backspace takes the last step back.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Backspace") document.querySelector(".undo a")?.click();
  if (/^[1-9]$/.test(event.key)) document.querySelectorAll(".choices li a")[event.key - 1]?.click();
});
// What is unfolded stays so on the next page.
for (const details of document.querySelectorAll(".panel details")) {
  const key = `unfolded ${details.className}`;
  details.open = sessionStorage.getItem(key) === "yes";
  details.addEventListener("toggle", () => sessionStorage.setItem(key, details.open ? "yes" : "no"));
}
