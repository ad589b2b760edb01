"use strict";
// Fills the page from the data inside it. All text goes in as text, never as HTML; vega-embed draws all charts.
(async () => {
  const PAGE = 25; // rows of the table at a time
  const $ = (id) => document.getElementById(id);

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob($(id).textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    $(id).remove();
    return new Response(stream).text();
  }

  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made) made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  const data = JSON.parse(await unpacked("data"));
  const library = element("script");
  library.textContent = await unpacked("library");
  document.head.append(library);

  const { languages, sets, neurons, rows, statistics, width } = data;
  const nameOf = Object.fromEntries(languages.map((one) => [one.code, one.name]));
  const label = (n) => `${neurons.layer[n]}/${neurons.number[n]}`;
  const flat = (n) => neurons.layer[n] * width + neurons.number[n];
  const numberOf = new Map(neurons.layer.map((_, n) => [label(n), n]));
  for (const set of sets) {
    set.index = {};
    for (const [code, steps] of Object.entries(set.members)) {
      let sum = 0;
      set.index[code] = new Set(steps.map((step) => (sum += step)));
    }
  }
  const codesIn = (set) => languages.map((one) => one.code).filter((code) => code in set.index);

  function shown(value) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
  }

  // Charts ------------------------------------------------------------------------------------------------

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();

  async function draw(place, chart, datasets, click) {
    drawn.set(place, [chart, datasets, click]);
    const spec = { ...data.charts[dark.matches ? "dark" : "light"][chart], datasets };
    const { view } = await vegaEmbed($(place), spec, { actions: false, renderer: "canvas", ast: false });
    if (click) view.addEventListener("click", (_, item) => item && item.datum && click(item.datum));
  }
  dark.addEventListener("change", () => {
    drawn.forEach((value, place) => $(place) && draw(place, ...value));
    if (opened !== null) show(opened);
  });

  // Map ---------------------------------------------------------------------------------------------------

  function options(select, values) {
    select.append(...values.map(([value, text]) => element("option", { value, textContent: text })));
  }
  for (const select of ["set", "one", "other"]) options($(select), sets.map((set, n) => [n, set.label]));
  options($("language"), languages.map((one) => [one.code, one.name]));
  options($("layer"), Array.from({ length: data.layers }, (_, k) => [k, k]));
  if (sets.length > 1) $("other").value = "1";

  function drawMap() {
    const set = sets[$("set").value];
    const owners = new Map();
    for (const code of codesIn(set)) {
      for (const one of set.index[code]) owners.set(one, owners.has(one) ? data.several : nameOf[code]);
    }
    const cells = new Map();
    for (const [one, group] of owners) {
      const layer = Math.floor(one / width);
      const first = Math.floor((one % width) / data.bin) * data.bin;
      const key = `${layer} ${first} ${group}`;
      if (!cells.has(key)) cells.set(key, { layer, first, end: Math.min(first + data.bin, width), group, count: 0 });
      cells.get(key).count += 1;
    }
    for (const cell of cells.values()) {
      cell.share = cell.count / (cell.end - cell.first);
      cell.neurons = data.bin === 1 ? `${cell.first}` : `${cell.first} to ${cell.end - 1}`;
    }
    const several = [...owners.values()].filter((group) => group === data.several).length;
    const counts = codesIn(set).map((code) => `${nameOf[code]} ${set.index[code].size}`);
    $("map-told").textContent =
      `${set.label}: ${counts.join(", ")} of ${data.layers * width} neurons; ${several} for several languages. ` +
      (data.bin > 1 ? `A column holds ${data.bin} neurons; the more of them are selected, the darker. ` : "") +
      "Click a mark to see its neurons in the table.";
    draw("map-chart", "map", { cells: [...cells.values()] }, (cell) => {
      if (cell.layer === undefined) return;
      const one = numberOf.get(`${cell.layer}/${cell.first}`);
      if (data.bin === 1 && one !== undefined) location.hash = `#${label(one)}`;
      else {
        $("layer").value = cell.layer;
        range = [cell.first, cell.end];
        refresh();
      }
    });
  }

  // Table -------------------------------------------------------------------------------------------------

  const own = (name) => (row) => statistics[rows.language[row]][name]?.[rows.neuron[row]] ?? null;
  const COLUMNS = [
    ["neuron", "Neuron", (row) => flat(rows.neuron[row]), "Layer and number within the layer, both from 0."],
    ["set", "Mask set", (row) => sets[rows.set[row]].label, "The selection that has the neuron."],
    ["language", "Language", (row) => nameOf[rows.language[row]], "The language for which it was selected; what stands to the right is of this language's texts."],
    ["place", "Rank", (row) => rows.place[row] || null, "Rank within the mask set and language, by score."],
    ["score", "Score", (row) => rows.score[row], "The score by which the mask set ranks."],
    ["z", "z", own("z"), "Kurtosis of the relevance as z-score within the layer."],
    ["other", "Other z", (row) => rows.other[row], "The highest z of the other languages."],
    ["margin", "Margin", (row) => rows.margin[row], "z less the highest z of the other languages."],
    ["halves", "Halves", (row) => rows.halves[row], "On how many of the two halves of the texts the same rule selects the neuron again."],
    ["outlier_share", "One sample", own("outlier_share"), "Upper bound of the share of the fourth moment that is owed to a single sample."],
    ["kurtosis", "Kurtosis", own("kurtosis"), "Population kurtosis of the relevance over samples, not excess."],
    ["skewness", "Skewness", own("skewness"), "Population skewness."],
    ["mean", "Mean", own("mean"), "Mean relevance of a sample."],
    ["std", "Std", own("std"), "Its standard deviation."],
    ["mean_abs", "Mean |R|", own("mean_abs"), "Mean absolute relevance."],
    ["minimum", "Minimum", own("minimum"), "Smallest relevance of a sample."],
    ["maximum", "Maximum", own("maximum"), "Largest relevance of a sample."],
    ["activation_probability", "Active", own("activation_probability"), "Share of tokens on which the activation is above 0 (LAPE)."],
    ["mean_value", "Mean value", own("mean_value"), "Mean of the neuron itself over the tokens."],
  ].filter(([name]) => name !== "activation_probability" || languages.some((one) => name in statistics[one.code]));
  const TEXTS = new Set(["neuron", "set", "language"]);
  let sorted = ["place", 1];
  let page = 0;
  let range = null; // first and end of the neurons of a column of the map
  let found = [];
  let opened = null;

  $("columns").append(...COLUMNS.flatMap(([, head, , told]) => [element("dt", { textContent: head }), element("dd", { textContent: told })]));

  function sortedRows() {
    const set = $("whole").checked ? null : Number($("set").value);
    const language = $("language").value;
    const layer = $("layer").value === "" ? null : Number($("layer").value);
    const search = $("search").value.trim();
    const margin = $("margin").value === "" ? null : Number($("margin").value);
    const share = own("outlier_share");
    const kept = [];
    for (let row = 0; row < rows.neuron.length; row += 1) {
      const n = rows.neuron[row];
      if (set !== null && rows.set[row] !== set) continue;
      if (language && rows.language[row] !== language) continue;
      if (layer !== null && neurons.layer[n] !== layer) continue;
      if (range && (neurons.number[n] < range[0] || neurons.number[n] >= range[1])) continue;
      if (search && !label(n).startsWith(search)) continue;
      if (margin !== null && !(rows.margin[row] !== null && rows.margin[row] >= margin)) continue;
      if ($("spread").checked && !(share(row) !== null && share(row) <= 0.5)) continue;
      kept.push(row);
    }
    const key = COLUMNS.find(([name]) => name === sorted[0])[2];
    const keys = new Map(kept.map((row) => [row, key(row)]));
    return kept.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a - b; // unknown last, either way
      return (x < y ? -1 : x > y ? 1 : 0) * sorted[1] || a - b;
    });
  }

  function refresh() {
    found = sortedRows();
    page = 0;
    fill();
  }

  function fill() {
    const columns = COLUMNS.filter(([name]) => name !== "set" || $("whole").checked);
    const focused = document.activeElement?.dataset?.column;
    const heads = columns.map(([name, head, , told]) => {
      const button = element("button", { type: "button", textContent: head, title: told });
      button.dataset.column = name;
      button.addEventListener("click", () => {
        const falling = !TEXTS.has(name) && name !== "place";
        sorted = [name, sorted[0] === name ? -sorted[1] : falling ? -1 : 1];
        refresh();
      });
      const order = sorted[0] !== name ? "none" : sorted[1] > 0 ? "ascending" : "descending";
      return element("th", { scope: "col", "aria-sort": order, className: TEXTS.has(name) ? "text" : "" }, button);
    });
    $("table").tHead.replaceChildren(element("tr", {}, ...heads));
    $("table").tBodies[0].replaceChildren(
      ...found.slice(page * PAGE, (page + 1) * PAGE).map((row) => {
        const n = rows.neuron[row];
        const cells = columns.map(([name, , value]) => {
          if (name === "neuron") {
            const link = element("a", { href: `#${label(n)}`, textContent: label(n) });
            return element("th", { scope: "row", className: "text" }, link);
          }
          return element("td", { className: TEXTS.has(name) ? "text" : "", textContent: shown(value(row)) });
        });
        return element("tr", { className: n === opened ? "chosen" : "" }, ...cells);
      }),
    );
    if (focused) document.querySelector(`button[data-column="${focused}"]`)?.focus();
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    $("page").textContent = `Page ${page + 1} of ${pages}`;
    for (const id of ["first", "back"]) $(id).disabled = page === 0;
    for (const id of ["next", "last"]) $(id).disabled = page >= pages - 1;
    const of = $("whole").checked ? "all mask sets" : sets[$("set").value].label;
    $("told").textContent =
      `${found.length} rows of ${of}: the first ${data.most} neurons of each language at most` +
      (range ? `; neurons ${range[0]} to ${range[1] - 1}` : "") + ".";
  }

  const turn = (to) => () => { page = to(); fill(); };
  const end = () => Math.ceil(found.length / PAGE) - 1;
  $("first").addEventListener("click", turn(() => 0));
  $("back").addEventListener("click", turn(() => page - 1));
  $("next").addEventListener("click", turn(() => page + 1));
  $("last").addEventListener("click", turn(end));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("input", () => { range = null; refresh(); });
  $("filters").addEventListener("reset", () => setTimeout(() => { range = null; refresh(); }));
  $("set").addEventListener("change", () => { range = null; drawMap(); refresh(); });

  // One neuron --------------------------------------------------------------------------------------------

  function simpleTable(heads, lines) {
    const head = element("tr", {}, ...heads.map((text, n) => element("th", { scope: "col", textContent: text, className: n ? "" : "text" })));
    const body = lines.map((line) =>
      element("tr", {}, ...line.map((value, n) =>
        element(n ? "td" : "th", { className: n ? "" : "text", textContent: shown(value), ...(n ? {} : { scope: "row" }) }))));
    return element("div", { className: "scroll", tabIndex: 0 }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
  }

  // Orange for relevance above 0 and purple below, as far apart for the colour-blind; below 0 is underlined, too.
  function shade(span, step) {
    const part = Math.abs(step) / 99;
    if (part < 0.04) return;
    const strong = 0.1 + 0.8 * part;
    span.style.backgroundColor = `rgba(${step > 0 ? "230, 97, 1" : "118, 84, 184"}, ${strong.toFixed(2)})`;
    if (strong > 0.5 && !dark.matches) span.style.color = step > 0 ? "#000" : "#fff";
    if (step < 0) span.className = "below";
  }

  function textOf(example, by) {
    const text = data.texts[example.text];
    const steps = example[by];
    const most = by === "relevance" ? example.largest : example.highest;
    const from = example.start - text.start;
    const spans = steps.map((step, n) => {
      const unit = (value, top) => shown(Number(((value / 99) * top).toPrecision(2)));
      const span = element("span", { textContent: text.pieces[from + n] });
      span.title = `relevance ${unit(example.relevance[n], example.largest)}, value ${unit(example.values[n], example.highest)}`;
      shade(span, step);
      return span;
    });
    const order = steps.map((_, n) => n).sort((a, b) => Math.abs(steps[b]) - Math.abs(steps[a])).slice(0, 3);
    const strongest = order.map((n) => `“${text.pieces[from + n].trim()}” ${shown(Number(((steps[n] / 99) * most).toPrecision(2)))}`);
    const cut = [example.start > 0 ? "…" : "", example.start + steps.length < text.whole ? "…" : ""];
    return [
      element("p", { className: "tokens", dir: "auto", lang: text.language.split("_")[0] }, cut[0], ...spans, cut[1]),
      element("p", { className: "note" }, `Sample ${text.sample}, relevance ${shown(Number(example.total.toPrecision(4)))}. Strongest: `,
        ...strongest.flatMap((one, n) => [n ? ", " : "", element("bdi", { textContent: one })]), "."),
    ];
  }

  function texts(n) {
    const choice = element("select", { id: "shading" });
    options(choice, [["relevance", "relevance"], ["values", "the neuron’s value"]]);
    const holder = element("div");
    const write = () => {
      const parts = languages.map((one) => {
        const mine = data.examples[n].filter((example) => data.texts[example.text].language === one.code);
        return element("div", {}, element("h4", { textContent: one.name }), ...mine.flatMap((example) => textOf(example, choice.value)));
      });
      holder.replaceChildren(...parts);
    };
    choice.addEventListener("change", write);
    write();
    const key = [[-99, "most below 0"], [-40, ""], [40, ""], [99, "most above 0"]].map(([step, text]) => {
      const span = element("span", { textContent: text || "\u00a0" });
      shade(span, step);
      return span;
    });
    return [
      element("h3", { textContent: "Texts of largest |relevance|" }),
      element("p", {}, element("label", {}, "Shaded by ", choice), element("span", { className: "key" }, ...key)),
      holder,
    ];
  }

  function ranksOf(n) {
    const one = flat(n);
    const lines = sets.map((set, number) => [
      set.label,
      ...languages.map(({ code }) => {
        const ranks = data.ranks[number]?.[code];
        const inside = set.index[code]?.has(one);
        if (ranks) return `${ranks[n] || "–"}${inside ? " ✓" : ""}`;
        return inside ? "✓" : "–";
      }),
    ]);
    const total = data.layers * width;
    return [
      element("h3", { textContent: "Rank under every method" }),
      simpleTable(["Mask set", ...languages.map((language) => language.name)], lines),
      element("p", { className: "note", textContent: `Among all ${total} neurons; ✓: selected. – where the method has no rank: its statistic is undefined, or it ranks nothing but its selection.` }),
    ];
  }

  function statisticsOf(n) {
    const names = COLUMNS.filter(([name]) => languages.some((one) => name in statistics[one.code]));
    const z = languages.map((one) => statistics[one.code].z[n]);
    const lines = names.map(([name, head]) => [head, ...languages.map((one) => statistics[one.code][name]?.[n] ?? null)]);
    lines.splice(1, 0, ["Margin", ...z.map((value, at) => {
      const others = z.filter((_, other) => other !== at);
      return [value, ...others].includes(null) ? null : Number((value - Math.max(...others)).toPrecision(3));
    })]);
    lines.push(["Samples", ...languages.map((one) => statistics[one.code].count[n])]);
    return [element("h3", { textContent: "Statistics" }), simpleTable(["", ...languages.map((one) => one.name)], lines)];
  }

  function effectsOf(n) {
    const mine = data.effects.filter((effect) => effect.neuron === n);
    if (!mine.length) return [];
    const heads = { change: "Change", change_even: "Even texts", change_odd: "Odd texts" };
    const measured = Object.keys(heads).filter((name) => name in mine[0]);
    const lines = mine.map((effect) => [nameOf[effect.language] ?? effect.language, ...measured.map((name) => effect[name])]);
    return [
      element("h3", { textContent: "Measured effect of zeroing it" }),
      simpleTable(["Language", ...measured.map((name) => heads[name])], lines),
      element("p", { className: "note", textContent: "Change of each language’s loss on held-out texts, in nats per token." }),
    ];
  }

  async function show(n) {
    opened = n;
    fill();
    $("neuron-title").textContent = `Neuron ${label(n)}`;
    const chart = element("div", { id: "spread-chart", className: "chart", role: "img" });
    chart.setAttribute("aria-label", "Distribution of the relevance in each language; the table of statistics has its numbers");
    $("detail").replaceChildren(
      element("p", { textContent: `Layer ${neurons.layer[n]}, number ${neurons.number[n]}, at site ${data.site}.` }),
      element("h3", { textContent: "Relevance in each language" }),
      chart,
      element("div", { className: "columns" },
        element("div", {}, ...texts(n)),
        element("div", {}, ...statisticsOf(n), ...ranksOf(n), ...effectsOf(n))),
    );
    const spread = languages.map(({ code, name }) => {
      const of = statistics[code];
      const [mean, std] = [of.mean[n], of.std[n]];
      return { language: name, mean, std, low: mean - std, high: mean + std, minimum: of.minimum[n], maximum: of.maximum[n], samples: of.count[n] };
    });
    const points = data.examples[n].map((example) => {
      const text = data.texts[example.text];
      return { language: nameOf[text.language], relevance: example.total, sample: text.sample };
    });
    await draw("spread-chart", "spread", { spread, points });
  }

  async function follow() {
    const match = /^#(\d+)\/(\d+)$/.exec(location.hash);
    if (!match) return;
    const n = numberOf.get(`${Number(match[1])}/${Number(match[2])}`);
    if (n !== undefined) await show(n);
    else {
      opened = null;
      const one = Number(match[1]) * width + Number(match[2]);
      const having = sets.flatMap((set) => codesIn(set).filter((code) => set.index[code].has(one)).map((code) => `${set.label} (${nameOf[code]})`));
      $("neuron-title").textContent = `Neuron ${match[1]}/${match[2]}`;
      $("detail").replaceChildren(element("p", {
        textContent: `This page has no details of it: it is not among the first ${data.most} neurons of a mask set and language. Selected by: ${having.join(", ") || "none"}.`,
      }));
    }
    $("neuron-title").focus({ preventScroll: true });
    $("neuron").scrollIntoView();
  }
  addEventListener("hashchange", follow);

  // Comparison --------------------------------------------------------------------------------------------

  function compare() {
    const [one, other] = [sets[$("one").value], sets[$("other").value]];
    const lines = [];
    const bars = [];
    const lists = [];
    const parts = ["only in the first", "in both", "only in the second"];
    for (const { code, name } of languages) {
      if (!(code in one.index) || !(code in other.index)) continue;
      const [a, b] = [one.index[code], other.index[code]];
      const members = [[...a].filter((x) => !b.has(x)), [...a].filter((x) => b.has(x)), [...b].filter((x) => !a.has(x))];
      const union = members[0].length + members[1].length + members[2].length;
      lines.push([name, a.size, b.size, ...members.map((part) => part.length), union ? members[1].length / union : 1]);
      members.forEach((part, order) => {
        const counts = new Array(data.layers).fill(0);
        for (const x of part) counts[Math.floor(x / width)] += 1;
        counts.forEach((count, layer) => bars.push({ language: name, layer, part: parts[order], order, count }));
        if (!part.length) return;
        const known = part.map((x) => `${Math.floor(x / width)}/${x % width}`).filter((x) => numberOf.has(x));
        const links = known.flatMap((x, n) => [n ? ", " : "", element("a", { href: `#${x}`, textContent: x })]);
        lists.push(element("details", {},
          element("summary", { textContent: `${name}, ${parts[order]}: ${part.length}, ${known.length} of them with details` }),
          element("p", {}, ...links)));
      });
    }
    const table = simpleTable(["Language", one.label, other.label, "Only first", "Both", "Only second", "Jaccard"], lines).firstChild;
    $("shared").replaceChildren(...table.childNodes);
    $("shared-lists").replaceChildren(...lists);
    return draw("shared-chart", "shared", { shared: bars });
  }
  $("one").addEventListener("change", compare);
  $("other").addEventListener("change", compare);

  $("about").textContent =
    `The neurons that the mask sets of the study “${data.study}” select in ${data.model}: ${data.layers} layers of ${width}. ` +
    `Relevance is summed over the tokens of a sample; statistics are of the samples of one language.`;
  drawMap();
  refresh();
  compare();
  await follow();
  document.body.dataset.ready = "yes"; // what tests wait for
})();
