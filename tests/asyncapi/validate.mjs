// Reads a JSON array of documents on stdin; says of each what the AsyncAPI project's parser finds.
import { Parser } from "@asyncapi/parser";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const told = [];
for (const text of JSON.parse(Buffer.concat(chunks).toString("utf8"))) {
  const { document, diagnostics } = await new Parser().parse(text);
  told.push({
    messages: document ? document.allMessages().all().map((message) => message.id()).sort() : null,
    diagnostics: diagnostics.map(({ code, severity, message, path }) => ({ code, severity, message, path })),
  });
}
process.stdout.write(JSON.stringify(told));
