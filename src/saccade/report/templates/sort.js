for (const table of document.querySelectorAll("table[data-sorts]")) {
  const heads = [...table.tHead.rows[0].cells];
  table.classList.add("sorts");
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const key = (row) => row.cells[place].dataset.key;
      const rows = [...table.tBodies[0].rows];
      const numbers = rows.every((row) => key(row) === "" || !isNaN(key(row)));
      const before = head.getAttribute("aria-sort");
      const rising = before ? before === "descending" : !numbers;
      const order = (a, b) => (numbers ? a - b : a.localeCompare(b)) * (rising ? 1 : -1);
      rows.sort((a, b) => {
        const [one, other] = [key(a), key(b)];
        if (one === "" || other === "") return (one === "") - (other === "");
        return order(one, other);
      });
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      table.tBodies[0].append(...rows);
    });
  });
}
