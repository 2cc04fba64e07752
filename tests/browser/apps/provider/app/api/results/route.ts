import { appendFile } from "node:fs/promises";

/** The app's own store: what it is told, in the order in which it came. */
export async function POST(request: Request) {
  await appendFile("results.jsonl", `${JSON.stringify(await request.json())}\n`);
  return new Response(null, { status: 204 });
}
