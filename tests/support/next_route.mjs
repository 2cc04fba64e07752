// A Next route that spawns `python -m crew.run --stdin`, and the page behind it, as users have them:
// progress lines are found by their text before they are parsed, results by status and task.
//
// `node next_route.mjs PYTHON` with the page's request as JSON on stdin; on stdout one JSON object:
// {"code", "progress": [parsed lines], "answer": what the route answers,
//  "saved": {task: output} of what the page finds in it}
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const TASKS = ["create_content_plan", "analyze_sentiment", "research_trends"];

export function crew(payload) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.argv[2], ["-m", "crew.run", "--stdin"], { env: process.env });
    const progress = [];
    let out = "";
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.includes('"type":"progress"')) progress.push(JSON.parse(line));
      }
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, progress, answer: JSON.parse(out) }));
    child.stdin.end(JSON.stringify(payload));
  });
}

function saved(answer) {
  if (answer.status !== "complete") return {};
  const found = TASKS.map((task) => answer.task_outputs.find((one) => one.task === task));
  return Object.fromEntries(found.filter(Boolean).map((one) => [one.task, one.output]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const done = await crew(JSON.parse(await text(process.stdin)));
  process.stdout.write(JSON.stringify({ ...done, saved: saved(done.answer) }));
}
