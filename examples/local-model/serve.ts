/**
 * The local model as a server in a process of its own:
 *
 *     node --conditions=perdure-source examples/local-model/serve.ts
 *
 * prints the URL to give a client as its `baseURL`. Started by another Node process, it sends the URL
 * to it instead, and ends when that process does.
 */
import { serveChatCompletions } from "./chat-completions-server.ts";
import { localReply } from "./local-reply.ts";
import { loadSmolLM2 } from "./smollm2.ts";

const model = await loadSmolLM2((line) => console.error(line));
const server = await serveChatCompletions({ reply: (request, signal) => localReply(model, request, signal) });

if (process.send === undefined) {
  console.log(server.url);
} else {
  process.send({ url: server.url });
  process.on("disconnect", () => process.exit(0));
}
