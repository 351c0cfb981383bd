// Filters of the gallery: what is chosen is also what stands behind # in the address.
const form = document.querySelector("form.filters");
const cards = [...document.querySelectorAll(".cards article")];
const one = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

function show() {
  const wanted = Object.fromEntries(new FormData(form));
  let claims = 0;
  for (const card of cards) {
    let here = 0;
    for (const claim of card.querySelectorAll("li")) {
      const fits = Object.entries(wanted).every(([name, value]) => !value || claim.dataset[name] === value);
      claim.hidden = !fits;
      here += fits;
    }
    card.hidden = !here;
    claims += here;
  }
  form.querySelector("output").textContent = `${one(cards.filter((card) => !card.hidden).length, "experiment")}, ${one(claims, "claim")}`;
}

function read() {
  const chosen = new URLSearchParams(location.hash.slice(1));
  for (const select of form.querySelectorAll("select")) {
    const value = chosen.get(select.name) ?? "";
    select.value = [...select.options].some((option) => option.value === value) ? value : "";
  }
  show();
}

form.addEventListener("change", () => {
  const chosen = [...new FormData(form)].filter(([, value]) => value);
  history.replaceState(null, "", chosen.length ? "#" + new URLSearchParams(chosen) : location.pathname + location.search);
  show();
});
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", read);
read();
