/* What JavaScript adds to pages that work without it: search by "/", rows that open, copy and show-password buttons,
   polling that pauses in hidden tabs, the reader's time zone. No inline script anywhere, nothing from outside. */
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `tz=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  }

  const typing = (element) => element.matches("input, textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "/" && plain && !typing(event.target)) {
      const box = [...document.querySelectorAll("[type=search]")].find((one) => one.offsetParent !== null);
      if (box) {
        event.preventDefault();
        box.focus();
        box.select();
      }
    } else if (event.key === "Enter" && event.target.matches(".ends fieldset .input:not(textarea)")) {
      event.preventDefault(); // Enter tests the server that is being typed, and starts nothing
      event.target.closest("fieldset").querySelector("button[formaction]").click();
    } else if (event.key === "Escape") {
      closeMenus(null);
    }
  });

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
      if (menu !== except) menu.open = false;
    }
  }

  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details.menu, details.confirm"));
    const reveal = event.target.closest("[data-reveal]");
    const copy = event.target.closest("[data-copy]");
    const row = event.target.closest("tr.opens");
    if (reveal) {
      const field = document.getElementById(reveal.dataset.reveal);
      const shown = field.type === "text";
      field.type = shown ? "password" : "text";
      reveal.setAttribute("aria-pressed", String(!shown));
    } else if (copy) {
      const field = document.getElementById(copy.dataset.copy);
      field.select();
      if (navigator.clipboard) navigator.clipboard.writeText(field.value);
      else document.execCommand("copy");
      copy.classList.add("is-copied");
      setTimeout(() => copy.classList.remove("is-copied"), 2000);
    } else if (row && !event.target.closest("a, button, input, label, details") && !String(getSelection())) {
      row.querySelector("a.open").click();
    }
  });

  function prepare(root) {
    for (const button of root.querySelectorAll("[data-reveal], [data-copy]")) button.hidden = false;
    for (const field of root.querySelectorAll(".field .input")) {
      const wrong = document.getElementById(`${field.id}-wrong`);
      if (wrong) {
        if (wrong.textContent.trim()) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
      }
    }
  }
  prepare(document);

  const root = document.documentElement;
  document.addEventListener("htmx:afterSettle", () => prepare(document));
  document.addEventListener("htmx:oobAfterSwap", () => prepare(document));
  document.addEventListener("htmx:beforeRequest", (event) => {
    const polls = (event.detail.elt.getAttribute("hx-trigger") || "").startsWith("every");
    if (polls && document.hidden) event.preventDefault();
  });
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, () => root.classList.add("stale"));
  }
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.xhr.status < 400) root.classList.remove("stale");
    if (event.detail.target.id === "problems") scrollTo({ top: 0, behavior: "smooth" });
  });
})();
