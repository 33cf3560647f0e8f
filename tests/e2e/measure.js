/* What a page looks like, as numbers: run by the tests in the page. */
(() => {
  const parse = (text) => {
    const found = text.match(/[\d.]+/g).map(Number);
    return { r: found[0], g: found[1], b: found[2], a: found.length > 3 ? found[3] : 1 };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => {
      const c = v / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(18, 18, 18)" : "rgb(255, 255, 255)";
  const behind = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(parse(getComputedStyle(one).backgroundColor));
    return layers.reduceRight((below, layer) => over(layer, below), parse(canvas));
  };
  const visible = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest(".vh, [hidden]");
  const named = (element) => `<${element.tagName.toLowerCase()} class="${element.className.baseVal ?? element.className}">`;

  window.measure = {
    overflow: () => {
      const room = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= room) return [];
      const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > room + 1);
      return [`${document.documentElement.scrollWidth} > ${room}`, ...wide.slice(0, 5).map(named)];
    },

    /* Texts with less contrast than WCAG 2.2 AA asks for, and how many were looked at. */
    contrast: () => {
      const faint = [];
      let seen = 0;
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || element.closest("script, noscript, template, option") || !visible(element)) continue;
        const style = getComputedStyle(element);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        const ground = behind(element);
        const found = ratio(over(parse(style.color), ground), ground);
        seen += 1;
        if (found < (large ? 3 : 4.5)) faint.push(`${found.toFixed(2)} ${named(element)} ${text.slice(0, 40)}`);
      }
      for (const input of document.querySelectorAll("[placeholder]")) {
        if (!visible(input)) continue;
        const ground = behind(input);
        const found = ratio(parse(getComputedStyle(input, "::placeholder").color), ground);
        if (found < 4.5) faint.push(`${found.toFixed(2)} placeholder of ${input.name}`);
      }
      return { faint, seen };
    },

    /* What has the focus: whether a ring is seen around it, and whether something lies on top of it. */
    focus: () => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      const clear = ratio(parse(style.outlineColor), behind(element.parentElement));
      const box = element.getBoundingClientRect();
      const top = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height / 2, 40));
      const label = element.id || element.textContent.trim().slice(0, 30) || element.name;
      const free = Boolean(top) && (element.contains(top) || top.contains(element));
      return { label: `${named(element)} ${label}`, ring: ring && clear >= 3, free };
    },
  };
})();
