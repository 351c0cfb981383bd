// What the generator's own script adds, made usable by keyboards and by those who listen.
function tend() {
  for (const bar of document.querySelectorAll("nav.md-code__nav:not([role])")) bar.setAttribute("role", "none");
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) table.tabIndex = 0;
  for (const formula of document.querySelectorAll(".long:not([tabindex])")) if (formula.scrollWidth > formula.clientWidth + 1) formula.tabIndex = 0;
}
tend();
new MutationObserver(tend).observe(document.body, { childList: true, subtree: true });
