// The seconds that Google's token has left, counted down. The page works without.
for (const timer of document.querySelectorAll(".timer")) {
  const bar = timer.parentElement.querySelector("progress");
  const end = performance.now() + 1000 * timer.dataset.seconds;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    bar.value = left;
    timer.textContent = left ? `good for ${left} s` : "expired: the next one is fetched when it is needed";
    timer.classList.toggle("expired", !left);
    if (left) setTimeout(tick, 250);
  };
  tick();
}
