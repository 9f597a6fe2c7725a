/* Sortable, filterable tables.  Every <table class="edgedl-table"> works as plain HTML; this script adds, with
 * DataTables (loaded only on pages that have such a table, from beside this file), sorting by any column, a search
 * box, and a dropdown for every column whose head carries data-dropdown.  An address may set them: #verdict=differs. */
(() => {
  "use strict";
  const here = document.currentScript.src.replace(/tables\.js.*$/, "");
  const PAGE = 50, FEW = 3;

  function load(tag, attributes) {
    return new Promise((resolve, reject) => {
      const element = Object.assign(document.createElement(tag), attributes);
      element.onload = resolve;
      element.onerror = () => reject(new Error(`cannot load ${attributes.src || attributes.href}`));
      document.head.append(element);
    });
  }

  function followTheme() {
    const root = document.documentElement;
    const set = () => root.classList.toggle("dark", root.dataset.theme === "dark");
    new MutationObserver(set).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
    set();
  }

  const filterValue = (cell) => cell.dataset.filterAs || cell.textContent.trim();

  function labelled(text, control) {
    const label = document.createElement("label");
    label.append(text, " ", control);
    return label;
  }

  function select(options, onChange) {
    const element = document.createElement("select");
    element.append(...options.map(([value, text]) => new Option(text, value)));
    element.addEventListener("change", onChange);
    return element;
  }

  function dropdowns(table, heads, redraw) {
    const rows = [...table.tBodies[0].rows];
    return heads.flatMap((head, column) => {
      if (!("dropdown" in head.dataset)) return [];
      const values = rows.map((row) => filterValue(row.cells[column]));
      const distinct = [...new Set(values)].filter(Boolean).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      const control = select([["", "all"], ...distinct.map((value) => [value, value])], redraw);
      control.name = head.textContent.trim().toLowerCase();
      return [{ control, label: head.textContent.trim(), values }];
    });
  }

  function setFromAddress(filters) {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const { control } of filters) {
      const value = wanted.get(control.name);
      if (value !== null && [...control.options].some((option) => option.value === value)) control.value = value;
    }
  }

  function nameCells(table, heads) {
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, index) => { cell.dataset.label ??= heads[index].textContent.trim(); });
    }
  }

  function enhance(table) {
    const heads = [...table.tHead.rows[0].cells];
    nameCells(table, heads);
    let api = null;
    const filters = dropdowns(table, heads, () => api.draw());
    const many = table.tBodies[0].rows.length > PAGE, few = table.tBodies[0].rows.length <= FEW;
    const heading = (head, index) => [String(index), head.textContent.trim()];
    const sorter = select([["", "as listed"], ...heads.map(heading)], (event) => {
      api.order(event.target.value === "" ? [] : [Number(event.target.value), "asc"]).draw();
    });
    const bar = document.createElement("div");
    bar.className = "edgedl-filters";
    const sortLabel = labelled("Sort by", sorter);
    sortLabel.className = "edgedl-sort";
    bar.append(...filters.map(({ label, control }) => labelled(label, control)), sortLabel);
    table.closest(".edgedl-table-box, .cell_output, .output")?.before(bar);
    api = new window.edgedlDataTable(table, {
      autoWidth: false, order: [], paging: many, pageLength: PAGE, lengthMenu: [25, 50, 100, { label: "all", value: -1 }],
      layout: { topStart: few ? null : "search", topEnd: null, bottomStart: few ? null : "info", bottomEnd: many ? "paging" : null },
      language: { search: "Search", info: "_TOTAL_ of _MAX_ rows", infoFiltered: "", infoEmpty: "no row matches" },
    });
    api.search.fixed("dropdowns", (text, data, index) =>
      filters.every(({ control, values }) => control.value === "" || values[index] === control.value));
    const fromAddress = () => { setFromAddress(filters); api.draw(); };
    window.addEventListener("hashchange", fromAddress);
    fromAddress();
  }

  async function start() {
    const tables = [...document.querySelectorAll("table.edgedl-table")];
    if (!tables.length) return;
    followTheme();
    await Promise.all([
      load("link", { rel: "stylesheet", href: `${here}datatables/datatables.css` }),
      load("script", { src: `${here}datatables/datatables.js` }),
    ]);
    tables.forEach(enhance);
    document.documentElement.dataset.tables = "ready";
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
