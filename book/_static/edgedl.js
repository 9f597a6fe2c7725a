/* Two small things: a reader predicts before a figure shows, and a link to a claim or to a detail opens its fold.
 * Without JavaScript the figure stays behind its own fold, and the question is a question. */
(() => {
  "use strict";

  function revealCell(question) {
    let next = question.nextElementSibling;
    while (next && !next.classList.contains("tag_predict-reveal")) next = next.nextElementSibling;
    return next;
  }

  function answer(question, chosen) {
    const right = [...chosen.options].find((option) => option.value === question.dataset.answer);
    const hit = chosen.value === question.dataset.answer;
    question.classList.toggle("edgedl-predict-right", hit);
    question.classList.toggle("edgedl-predict-wrong", !hit);
    const text = right ? right.textContent : question.dataset.answer;
    return hit ? `You said so: ${text}. The figure shows why.` : `Here it is ${text}. The figure shows why.`;
  }

  function predict(question) {
    const chosen = question.querySelector("select");
    const cell = revealCell(question);
    if (!chosen || !cell) return;
    const reply = document.createElement("p");
    reply.className = "edgedl-predict-reply";
    reply.setAttribute("role", "status");
    reply.textContent = "Choose, and the figure below opens.";
    question.append(reply);
    if (!chosen.getAttribute("aria-label")) chosen.setAttribute("aria-label", question.querySelector("p")?.textContent || "your prediction");
    cell.classList.add("edgedl-locked");
    chosen.addEventListener("change", () => {
      if (!chosen.value) return;
      reply.textContent = answer(question, chosen);
      cell.classList.remove("edgedl-locked");
      cell.querySelectorAll("details.hide").forEach((fold) => { fold.open = true; });
    });
  }

  function openTarget() {
    const target = /^#(claim|detail)-/.test(location.hash) && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.closest(".edgedl-locked")?.classList.remove("edgedl-locked");
    target.scrollIntoView({ block: "center" });
  }

  function start() {
    document.querySelectorAll(".edgedl-predict").forEach(predict);
    window.addEventListener("hashchange", openTarget);
    openTarget();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
