// Drives a run with the client that pages use: URL TOKEN, in a folder with @ag-ui/client.
import { createRequire } from "node:module";
import { join } from "node:path";

const { HttpAgent } = createRequire(join(process.cwd(), "x.js"))("@ag-ui/client");
const [url, token] = process.argv.slice(2);
const agent = new HttpAgent({
  url,
  threadId: "cust-88",
  headers: { Authorization: `Bearer ${token}` },
  initialMessages: [{ id: "m1", role: "user", content: "Refund order A-1007" }],
});
const kinds = [];
const subscriber = { onEvent: ({ event }) => void kinds.push(event.type) };
await agent.runAgent({ runId: "r1" }, subscriber);
const [interrupt] = agent.pendingInterrupts;
const resume = [
  { interruptId: interrupt.id, status: "resolved", payload: { approved: true } },
];
await agent.runAgent({ runId: "r2", resume }, subscriber);
const messages = agent.messages.map(({ role, content, toolCalls }) => ({
  role,
  content,
  calls: (toolCalls ?? []).map((call) => call.function.name),
}));
console.log(JSON.stringify({ kinds, interrupt, messages, open: agent.pendingInterrupts.length }));
