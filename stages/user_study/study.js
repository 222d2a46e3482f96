
// Shows the questions one after the other.

const study = JSON.parse(document.getElementById("study").textContent);
const element = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("[data-answer]")];
const memory = `callsheet-study-${study.study}`;

let participant = remembered(memory);
if (!isParticipant(participant, study.questions)) {
  participant = newParticipant();
}
let order = orderOf(participant.id, study.questions);
let begun = participant.answers.length > 0;
let bothRealistic = false; // True if both images of the question are realistic, so that the style is asked next.
let isKept = true;
let isSaved = false;

const isDone = () => participant.answers.length === order.length;
const offered = () => buttons.filter((button) => !button.hidden);

function show() {
  const done = participant.answers.length;
  element("begin").hidden = begun;
  element("ask").hidden = !begun || isDone();
  element("end").hidden = !isDone();
  element("another").hidden = !isSaved;
  element("otherwise").hidden = !isSaved;
  element("bar").max = order.length;
  element("bar").value = done;
  element("count").textContent = `${done} of ${order.length}`;
  element("warning").hidden = isKept;
  element("status").textContent = "";
  if (isDone()) {
    element("thanks").focus();
  } else if (begun) {
    ask(order[done], done);
  }
}

function ask(question, done) {
  const pictures = { content: question.content, style: question.style };
  pictures.left = question.left.image;
  pictures.right = question.right.image;
  for (const [place, picture] of Object.entries(pictures)) {
    element(place).src = study.images[picture];
  }
  element("question").textContent = bothRealistic
    ? "Both are realistic. Which is closer to the wanted style?"
    : "Which of the two is more realistic?";
  buttons.forEach((button) => (button.hidden = bothRealistic && button.dataset.answer === "both"));
  element("back").disabled = done === 0 && !bothRealistic;
  element("stop").disabled = done === 0;
  element("status").textContent = `Question ${done + 1} of ${order.length}`;
  element("question").focus();
}

function answer(side) {
  if (side === "both") {
    bothRealistic = true;
  } else {
    const { id, left, right } = order[participant.answers.length];
    const chosen = bothRealistic ? { realistic: "both", style: side } : { realistic: side };
    participant.answers.push({ question: id, left: left.method, right: right.method, ...chosen });
    bothRealistic = false;
    keep();
  }
  show();
}

function back() {
  if (bothRealistic) {
    bothRealistic = false;
  } else {
    participant.answers.pop();
    keep();
  }
  show();
}

function keep() {
  isSaved = false;
  isKept = remember(memory, participant);
}

function save() {
  const { id, answers } = participant;
  const saved = { format: "callsheet study answers 1", study: study.study, participant: id, complete: isDone(), answers };
  const text = `${JSON.stringify(saved, null, 1)}\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `study-${study.study}-${id}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  isSaved = true;
  show();
  element("text").value = text;
  element("status").textContent = `Saved as ${link.download} in the download folder of your browser.`;
}

function another() {
  participant = newParticipant();
  order = orderOf(participant.id, study.questions);
  begun = false;
  keep();
  show();
  element("start").focus();
}

function press(event) {
  const typing = event.target instanceof HTMLTextAreaElement;
  if (typing || element("ask").hidden || event.repeat || event.altKey || event.ctrlKey || event.metaKey) {
    return;
  }
  const all = offered();
  if (event.key >= "1" && event.key <= "9") {
    all[event.key - 1]?.click();
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    const step = event.key === "ArrowLeft" ? -1 : 1;
    const at = all.indexOf(document.activeElement);
    // If nothing is chosen yet, the left key chooses the left picture.
    const next = at < 0 ? Math.max(step, 0) : (at + step + all.length) % all.length;
    all[next].focus();
    event.preventDefault();
  }
}

document.title = study.title;
element("title").textContent = study.title;
element("note").textContent = study.note;
element("warning").textContent =
  "Your browser does not let this page store your answers: answer all questions before you close it.";
for (const button of buttons) {
  // The second click of a double click would answer a question that is not seen yet.
  button.addEventListener("click", (event) => event.detail < 2 && answer(button.dataset.answer));
}
element("start").addEventListener("click", () => {
  begun = true;
  keep();
  show();
});
element("back").addEventListener("click", back);
element("change").addEventListener("click", back);
element("stop").addEventListener("click", save);
element("save").addEventListener("click", save);
element("another").addEventListener("click", another);
document.addEventListener("keydown", press);
window.addEventListener("beforeunload", (event) => {
  const wouldBeLost = !isKept || isDone();
  if (participant.answers.length > 0 && !isSaved && wouldBeLost) {
    event.preventDefault();
  }
});
show();
if (begun && !isDone()) {
  element("status").textContent = "Welcome back: you continue where you stopped.";
}
