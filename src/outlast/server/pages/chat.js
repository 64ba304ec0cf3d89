// A chat with an agent over the API of the server that this page comes from. The conversation is the
// server's: a reload shows it again, and a run that waits is shown waiting.
"use strict";
const API = "/api/v1", talk = document.getElementById("talk"), agents = document.getElementById("agent");
const text = document.getElementById("text"), form = document.getElementById("form");
const HEADERS = { "X-Outlast-Request": "1", "Content-Type": "application/json" };
let session = location.hash.slice(1) || fresh();

function fresh() {
  const id = "chat-" + crypto.randomUUID();
  history.replaceState(null, "", "#" + id);
  return id;
}

async function ask(method, place, body) {
  const answer = await fetch(API + place, { method, headers: HEADERS, body: body && JSON.stringify(body) });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail || answer.statusText);
  return found;
}

function say(kind, said) {
  const line = document.createElement("div");
  line.className = kind;
  line.textContent = said;
  talk.append(line);
  line.scrollIntoView({ block: "end" });
  return line;
}

function wants(run, call) {
  const line = say("ask", (call.question || `${call.agent} wants to call ${call.tool}`) + "\n");
  const body = document.createElement("pre");
  body.textContent = JSON.stringify(call.arguments, null, 1);
  line.append(body);
  for (const [word, decision] of [["Approve", "approve"], ["Reject", "reject"]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word;
    button.onclick = async () => {
      line.querySelectorAll("button").forEach((each) => each.remove());
      line.append(decision === "approve" ? "approved" : "rejected");
      await ask("POST", `/runs/${run}/approvals/${call.key}`, { decision, fingerprint: call.fingerprint });
      follow(run);
    };
    line.append(button, " ");
  }
}

async function follow(run, after = -1) {
  const stream = new EventSource(`${API}/runs/${run}/events?deltas=true&until=pause&after=${after}`);
  let line = null, written = "";
  const heard = (kind, then) => stream.addEventListener(kind, (event) => then(JSON.parse(event.data)));
  heard("delta", (delta) => {
    line ??= say("agent", "");
    written = written.slice(0, delta.from) + delta.text;
    line.textContent = written;
    line.scrollIntoView({ block: "end" });
  });
  heard("delta.reset", () => { written = ""; });
  heard("model.replied", () => { line?.remove(); line = null; written = ""; });
  stream.addEventListener("end", async () => {
    stream.close();
    line?.remove();  // Text that came behind the reply that it is a part of.
    shown(await ask("GET", `/runs/${run}`));
  });
}

function shown(run) {
  if (run.status === "completed") say("agent", typeof run.output === "string" ? run.output : JSON.stringify(run.output));
  else if (run.status === "waiting") run.approvals.forEach((call) => wants(run.run_id, call));
  else say("note", run.error ? `${run.error.kind}: ${run.error.message}` : run.status);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = text.value.trim();
  if (!input) return;
  text.value = "";
  await begun;  // The runs that it lists are those before this one.
  say("you", input);
  try {
    const run = await ask("POST", "/runs", { agent: agents.value, input, session_id: session });
    follow(run.run_id);
  } catch (error) {
    say("note", error.message);
  }
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
});
document.getElementById("fresh").onclick = () => { session = fresh(); talk.replaceChildren(); text.focus(); };

async function begin() {
  for (const agent of (await ask("GET", "/agents")).data) agents.append(new Option(agent.name, agent.id));
  const runs = (await ask("GET", `/runs?session=${encodeURIComponent(session)}`)).data.reverse();
  for (const { run_id } of runs) {
    const run = await ask("GET", `/runs/${run_id}`);
    const { data } = await ask("GET", `/runs/${run_id}/items`);
    const said = data.find((item) => item.role === "user");
    if (said) say("you", typeof said.content === "string" ? said.content : said.content.map((part) => part.text).join(""));
    if (["running", "queued", "interrupted"].includes(run.status)) follow(run_id); else shown(run);
  }
}
const begun = begin().catch((error) => say("note", error.message));
