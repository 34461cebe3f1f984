// Sets the colours before the first paint. A file of its own, because the page allows no inline script.
(function () {
  var wish = null;
  try {
    wish = localStorage.getItem("hone.theme");
  } catch (e) {
    /* storage may be off */
  }
  var dark = wish === "dark" || (wish !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
